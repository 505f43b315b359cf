"""The papers keep their word: links lead somewhere, the two READMEs agree, commands exist, examples run."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from hub.cli import main
from hub.portal import glossary
from tests.licence import world

ROOT = Path(__file__).resolve().parent.parent
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
CATALOGUE = ROOT / "docs" / "catalogue.md"
INGESTION = ROOT / "docs" / "ingestion.md"
# What departments' staff, operators and clerks read is there in both languages, the same paper under the same name.
TRANSLATED = (
    "api.md", "backups.md", "calling.md", "catalogue.md", "ingestion.md", "licences.md", "log-format.md",
    "operations.md", "portal.md", "sources.md", "threats.md", "verifying.md",
)  # fmt: skip
PAIRS = [(ROOT / "docs" / name, ROOT / "docs" / "zh" / name) for name in TRANSLATED]
SKIPPED_FOLDERS = frozenset({".git", ".venv", "var", "build", "dist", "node_modules"})
# Data, not text of ours: the list of divisions has its own provenance and its own tests.
MAX_TEXT_BYTES = 2 * 1024 * 1024

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```\s*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.MULTILINE)
LINK = re.compile(r"\[[^\]\[]*\]\(([^()\s]+)\)")
INLINE = re.compile(r"`(zhengtong [^`]+)`")
WORD = re.compile(r"[a-z]+(-[a-z]+)*")
ADR_SECTIONS = ["Context", "Decision", "Measured", "Consequences"]
CHINESE_TEXT = re.compile(r"[\u4e00-\u9fff]")

# Written so that these patterns do not find themselves.
MACHINE_PATH = re.compile(r"(?<![\w.\-/\]}:])/(?:home|root|Users|work|mnt/data)/[\w.]")
REGISTRY_HOST = re.compile(
    r"\b(?:pypi\.org|(?:files\.|test\.)?pythonhosted\.org|registry\.npmjs\.org|registry\.yarnpkg\.com|proxy\.golang\.org"
    r"|repo1?\.maven\.(?:org|apache\.org)|conda\.anaconda\.org|index\.crates\.io|[\w.-]*(?:artifactory|nexus)\.[\w.-]+)\b"
)
HOST_OF_URL = re.compile(r"https?://(?:[^/@\s]*@)?([^/:\s]+)")
INDEX_VARIABLES = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "GOPROXY",
    "NPM_CONFIG_REGISTRY",
)


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def blocks(path: Path) -> list[tuple[str, str]]:
    return [(m["info"].strip(), m["body"]) for m in FENCE.finditer(path.read_text(encoding="utf-8"))]


def slug(heading: str) -> str:
    """The anchor a heading gets on common forges: lower case, punctuation dropped, spaces to hyphens."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    return {slug(heading) for _, heading in HEADING.findall(prose(path))}


@cache
def tracked() -> tuple[Path, ...]:
    """The files of the repository; without git (a source archive) every file outside the folders that are made."""
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
        listed = [ROOT / name.decode() for name in done.stdout.split(b"\0") if name]
    except (OSError, subprocess.CalledProcessError):
        listed = []
    return tuple(sorted(p for p in listed or walk() if p.is_file()))


def walk() -> list[Path]:
    found = []
    for folder, names, files in os.walk(ROOT):
        names[:] = [
            n for n in names if n not in SKIPPED_FOLDERS and not n.endswith((".egg-info", "_cache", "__pycache__"))
        ]
        found += [Path(folder) / name for name in files]
    return found


def papers() -> list[Path]:
    """Every Markdown file of the clone, whether git knows it yet or not."""
    return sorted(
        p for p in walk() if p.suffix == ".md" and not any(part.startswith(".") for part in p.relative_to(ROOT).parts)
    )


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


PAPERS = papers()
ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))


@pytest.mark.parametrize("paper", PAPERS, ids=named)
def test_every_relative_link_leads_to_a_file_and_a_heading(paper: Path) -> None:
    broken = []
    for target in LINK.findall(prose(paper)):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = (paper.parent / name).resolve() if name else paper
        inside = file.exists() and file.is_relative_to(ROOT)
        headed = not anchor or file.suffix != ".md" or (inside and anchor in anchors(file))
        if not (inside and headed):
            broken.append(target)
    assert broken == []


def test_every_link_leads_outside_only_over_https() -> None:
    found = {t for paper in PAPERS for t in LINK.findall(prose(paper)) if t.startswith("http:")}
    assert found == set()


def test_the_two_readmes_have_the_same_headings_in_the_same_order() -> None:
    english, chinese = (HEADING.findall(prose(p)) for p in (ENGLISH, CHINESE))
    assert [len(marks) for marks, _ in english] == [len(marks) for marks, _ in chinese]
    assert len(english) > 5
    untranslated = [text for _, text in chinese if not CHINESE_TEXT.search(text)]
    assert untranslated == []


def test_the_two_readmes_have_the_same_code_blocks() -> None:
    assert blocks(ENGLISH) == blocks(CHINESE)
    assert {"sh", "python", "mermaid"} <= {info for info, _ in blocks(ENGLISH)}


def rows(path: Path) -> list[int]:
    """How many cells each row of each table has; a bar within code or after a backslash divides none."""
    return [re.sub(r"\\\||`[^`]*`", "", line).count("|") for line in prose(path).splitlines() if line.startswith("|")]


def test_the_two_readmes_have_tables_of_one_shape_and_point_to_the_same_files() -> None:
    def targets(path: Path) -> list[str]:
        # A paper that is there in Chinese is what the Chinese README points to.
        return [t.replace("docs/zh/", "docs/") for t in LINK.findall(prose(path)) if not t.startswith("README")]

    assert rows(ENGLISH) == rows(CHINESE)
    assert targets(ENGLISH) == targets(CHINESE)
    assert INLINE.findall(ENGLISH.read_text("utf-8")) == INLINE.findall(CHINESE.read_text("utf-8"))
    known = {f"docs/zh/{name}" for name in TRANSLATED}
    assert {t for t in LINK.findall(prose(CHINESE)) if t.startswith("docs/zh/")} == known


def test_every_paper_in_chinese_has_its_english_one() -> None:
    assert sorted(p.name for p in (ROOT / "docs" / "zh").iterdir()) == sorted(TRANSLATED)


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=named)
def test_a_paper_says_in_chinese_what_it_says_in_english(english: Path, chinese: Path) -> None:
    headings, titles = HEADING.findall(prose(english)), HEADING.findall(prose(chinese))
    assert [len(marks) for marks, _ in titles] == [len(marks) for marks, _ in headings]
    # A method's name is the same in every language, and alone it is no heading.
    assert [text for _, text in titles if not CHINESE_TEXT.search(text)] == []
    assert blocks(chinese) == blocks(english)
    assert rows(chinese) == rows(english)
    # The first link of each is the way to the other.
    assert LINK.findall(prose(english))[0] == f"zh/{english.name}"
    assert LINK.findall(prose(chinese))[0] == f"../{english.name}"


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=named)
def test_the_chinese_tables_hold_the_codes_of_the_english_ones(english: Path, chinese: Path) -> None:
    def codes(path: Path) -> list[list[str]]:
        """The codes in each first cell of a table; sentences differ, these do not."""
        lines = [line for line in prose(path).splitlines() if line.startswith("|")]
        return [re.findall(r"`([^`]+)`|\b(\d+)\b", line.split("|")[1]) for line in lines]

    assert codes(chinese) == codes(english)


def python_blocks(path: Path) -> list[str]:
    return [body for info, body in blocks(path) if info == "python"]


def run_python(source: str, folder: Path) -> str:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_example_runs_and_says_what_the_readme_says() -> None:
    (example,) = python_blocks(ENGLISH)
    assert len([line for line in example.splitlines() if line.strip()]) == 10
    printed = run_python(example, ROOT)
    # "There is no grant, so the answer is no", in both languages.
    assert printed.startswith("False no_grant ")
    assert "grant" in printed
    assert "授权" in printed


def test_the_example_of_verifying_runs_on_a_real_bundle(tmp_path: Path) -> None:
    made = world.make_world()
    bundle = world.bundle_of(made, world.seal(made.agriculture), world.status_token(made.status_key))
    (tmp_path / "one.licence.json").write_text(bundle.to_json(), encoding="utf-8")
    made.trust.save(tmp_path / "trust")
    (example,) = python_blocks(ROOT / "docs" / "licences.md")
    # The licence of the test is of a fixed day, so the question must be about that day too.
    fixed = example.replace("datetime.now(UTC)", f"datetime.fromisoformat({world.AT.isoformat()!r})")
    assert fixed != example
    verdict, *report = run_python(fixed, tmp_path).splitlines()
    assert verdict.split() == ["TOTAL-PASSED", "0"]
    steps = re.findall(r"^\d\. \*\*(.+?)\*\*", (ROOT / "docs" / "licences.md").read_text("utf-8"), re.MULTILINE)
    assert [line.split(" — ")[0].split(". ")[1] for line in report if " — passed — " in line] == steps


# Numbers of applications, corrections, demands, grants, recalls and drafts, by their first letter.
NUMBER = re.compile(r"\b([ADGHKL])[A-Z2-7]{8}\b")
STANDS_FOR = {
    "A": "APPLICATION", "D": "DEMAND", "G": "GRANT", "H": "RECALL", "K": "CORRECTION", "L": "DRAFT",
}  # fmt: skip


def walk_of(path: Path) -> list[str]:
    """The lines of the first section of *path*, the walk."""
    text = path.read_text("utf-8").split("\n## ")[1]
    return [line for m in FENCE.finditer(text) for line in m["body"].splitlines()]


def test_the_walk_through_the_catalogue_works_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("ZHENGTONG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").symlink_to(ROOT / "demo")
    numbers: dict[str, str] = {}
    walked = 0
    for line in walk_of(CATALOGUE):
        for word, number in numbers.items():
            line = re.sub(rf"\b{word}\b", number, line)  # noqa: PLW2901 - the line as a person types it
        if not command_of(line):
            done = subprocess.run(line.partition(" && ")[0], shell=True, check=False)  # noqa: S602 - our own paper
            assert done.returncode == 0, line
            for name, value in re.findall(r"export (\w+)=(\S+)", line):
                monkeypatch.setenv(name, value)
            continue
        promised = re.search(r"  # (\d+)$", line)
        code = main(shlex.split(line, comments=True)[1:])
        told = "\n".join(capsys.readouterr())
        assert code == int(promised[1] if promised else 0), f"{line}\n{told}"
        for found in reversed(list(NUMBER.finditer(told))):
            numbers[STANDS_FOR[found[1]]] = found[0]
        walked += 1
    assert walked > 40
    assert {"APPLICATION", "CORRECTION", "DEMAND", "DRAFT", "GRANT"} <= numbers.keys()
    assert (tmp_path / "walk" / "core.xlsx").stat().st_size > 0


def test_a_new_resource_is_loaded_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table, rows of the list, a systems file and the commands, out of the paper alone."""
    for name in [name for name in os.environ if name.startswith("ZHENGTONG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZHENGTONG_HOME", "walk")
    section = INGESTION.read_text("utf-8").split("\n## ")[1]
    written = [(m["info"].strip(), m["body"]) for m in FENCE.finditer(section)]
    (table,) = [body for info, body in written if info == "sql"]
    rows_of_list, systems = [body for info, body in written if info == "yaml"]
    with closing(sqlite3.connect("insured.db")) as database:
        database.executescript(table)
    city = yaml.safe_load((ROOT / "demo" / "responsibilities.yaml").read_text("utf-8"))
    added = yaml.safe_load(rows_of_list)
    for part, entries in added.items():
        city[part] += entries
    write_yaml(Path("list.yaml"), city)
    (codes,) = [f["codes"] for f in added["resources"][0]["fields"] if "codes" in f]
    codes.append("3")
    write_yaml(Path("mended.yaml"), city)
    Path("walk").mkdir()
    Path("walk/systems.yaml").write_text(systems, encoding="utf-8")
    told: dict[str, str] = {}
    for line in [line for info, body in written if info == "sh" for line in body.splitlines()]:
        if line.startswith("zhengtong "):
            assert main(shlex.split(line, comments=True)[1:]) == 0, line
            told[line] = capsys.readouterr().out
    assert len(told) == 12
    printed = {line.split()[2]: out for line, out in told.items()}
    (why,) = re.findall(r"`(sort is not [^`]+)`", section)
    assert why in printed["rejects"] or "不在代码集之内" in printed["rejects"]
    # That they are alike is its exit code.
    assert "3" in printed["reconcile"]
    assert len(re.findall(r"\d{10,} ", printed["snapshots"])) == 2
    assert "insert" in printed["changes"]


def write_yaml(path: Path, plain: object) -> None:
    path.write_text(yaml.safe_dump(plain, allow_unicode=True, sort_keys=False), encoding="utf-8")


def commands(path: Path) -> set[tuple[str, ...]]:
    """The `zhengtong NOUN [VERB]` that *path* quotes, in shell blocks and between backticks."""
    quoted = [
        line
        for info, body in blocks(path)
        if info in {"sh", "bash", "console"}
        for line in body.replace("\\\n", " ").splitlines()
    ]
    quoted += INLINE.findall(prose(path))
    return {found for line in quoted if (found := command_of(line.removeprefix("$ ")))}


def command_of(line: str) -> tuple[str, ...]:
    words = shlex.split(line.replace("…", ""), comments=True)
    if not words or Path(words[0]).name != "zhengtong":
        return ()
    found: list[str] = []
    # A command has one or two words; what follows is a value (upper case, a path, key=value) or an option.
    for word in words[1:3]:
        if not WORD.fullmatch(word) or found == ["search"]:
            break
        found.append(word)
    return tuple(found)


QUOTED = sorted({command for paper in PAPERS for command in commands(paper)})


def test_the_readmes_quote_every_command_that_is_promised() -> None:
    promised = {
        ("demo",), ("serve",), ("call",), ("verify",),
        ("list", "check"), ("list", "publish"), ("list", "show"),
        ("ingest", "run"), ("ingest", "status"), ("ingest", "rejects"), ("ingest", "plan"), ("ingest", "drift"),
        ("ingest", "reconcile"), ("ingest", "alerts"), ("warehouse", "fsck"),
        ("search",), ("inbox",), ("remind",), ("resource", "show"), ("request", "new"), ("grant", "list"),
        ("list", "submit"), ("list", "impact"), ("correct", "new"), ("demand", "new"), ("form", "check"),
        ("audit", "verify"), ("audit", "replay"), ("audit", "show"),
        ("licence", "kinds"), ("licence", "issue"), ("licence", "revoke"), ("licence", "show"),
    }  # fmt: skip
    assert promised <= commands(ENGLISH)
    assert promised <= commands(CHINESE)


@pytest.mark.parametrize("command", QUOTED, ids=" ".join)
def test_every_quoted_command_exists(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    # In this process: starting an interpreter for each of them would take longer than all other tests of papers.
    assert main([*command, "--help"]) == 0
    assert " ".join(command) in capsys.readouterr().out


def test_every_quoted_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    quoted = {
        t for paper in PAPERS for t in re.findall(r"(?:^|`)make ([a-z]+)", paper.read_text("utf-8"), re.MULTILINE)
    }
    assert {"demo", "test"} <= quoted
    assert quoted <= targets


@pytest.mark.parametrize("adr", ADRS, ids=named)
def test_every_decision_record_has_its_four_sections(adr: Path) -> None:
    text = prose(adr)
    headings = HEADING.findall(text)
    assert [name for marks, name in headings if marks == "##"] == ADR_SECTIONS
    title = [name for marks, name in headings if marks == "#"]
    assert len(title) == 1
    assert title[0].startswith(adr.name[:4] + " ")
    assert "Status: " in text
    for section, following in zip(ADR_SECTIONS, [*ADR_SECTIONS[1:], None], strict=True):
        body = (
            text.split(f"## {section}\n", 1)[1].split(f"## {following}\n", 1)[0]
            if following
            else text.split(f"## {section}\n", 1)[1]
        )
        assert body.strip(), section


def test_the_decision_records_are_numbered_without_gaps_and_all_listed() -> None:
    assert [int(adr.name[:4]) for adr in ADRS] == list(range(1, len(ADRS) + 1))
    listed = LINK.findall(prose(ROOT / "docs" / "adr" / "README.md"))
    assert listed == [adr.name for adr in ADRS]


def test_the_glossary_has_each_term_once_with_its_chinese_word_and_source() -> None:
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in prose(ROOT / "docs" / "glossary.md").splitlines()
        if line.startswith("|") and not set(line) <= set("|- ")
    ]
    terms = [row for row in rows if row[0] != "English"]
    assert len(terms) >= 60
    assert all(len(row) == 5 and all(row) for row in terms)
    # The portal shows the same.
    assert [tuple(row) for row in terms] == [
        (one.english, one.chinese, one.meaning, one.meaning_zh, one.source) for one in glossary.terms()
    ]
    english = [row[0] for row in terms]
    assert sorted(set(english)) == sorted(english)
    assert [row[0] for row in terms if not CHINESE_TEXT.search(row[1])] == []


def text_of(path: Path) -> str | None:
    if path.stat().st_size > MAX_TEXT_BYTES:
        return None
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None


def texts() -> dict[str, str]:
    # Papers count even before they are tracked.
    found = {named(p): text_of(p) for p in {*tracked(), *PAPERS}}
    return {name: text for name, text in sorted(found.items()) if text is not None}


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    found = [(name, m.group()) for name, text in texts().items() for m in MACHINE_PATH.finditer(text)]
    assert found == []


def test_no_file_names_a_package_registry() -> None:
    # Both the well-known ones and the one this very machine is set to use.
    own = {h for variable in INDEX_VARIABLES for h in HOST_OF_URL.findall(os.environ.get(variable, ""))}
    found = [(name, m.group()) for name, text in texts().items() for m in REGISTRY_HOST.finditer(text)]
    found += [(name, host) for name, text in texts().items() for host in own if host in text]
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "guilty", "innocent"),
    [
        (MACHINE_PATH, "see /" + "home/me/x", "https://example.invalid/work/x and var/work/x and /srv/ga/x"),
        (REGISTRY_HOST, "https://pypi" + ".org/simple", "https://c2sp.org/tlog-tiles"),
        (REGISTRY_HOST, "https://nexus" + ".city.example/repository", "the nexus of things"),
    ],
)
def test_the_searches_find_what_they_are_for(pattern: re.Pattern[str], guilty: str, innocent: str) -> None:
    assert pattern.search(guilty)
    assert not pattern.search(innocent)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("zhengtong call 3010010001 citizen_id=… --purpose X", ("call",)),
        (".venv/bin/zhengtong audit replay 7", ("audit", "replay")),
        ("zhengtong list check demo/responsibilities.yaml  # comment", ("list", "check")),
        ("zhengtong verify FILE --trust DIR", ("verify",)),
        ("zhengtong search rkxx --explain", ("search",)),
        ("make demo", ()),
    ],
)
def test_commands_are_read_out_of_lines(line: str, command: tuple[str, ...]) -> None:
    assert command_of(line) == command
