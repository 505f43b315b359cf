"""The command line as a stranger meets it: help, errors, exit codes and JSON, in both languages."""

import importlib
import json
import os
import pkgutil
import re
import socket
import string
import subprocess
import sys
from pathlib import Path

import pytest

import audit.errors
import catalog.errors
import connectors.errors
import hub.errors
import licence.errors
import warehouse.errors
from hub.cli import language

REPOSITORY = Path(__file__).parents[3]
PROGRAM = (sys.executable, "-c", "import sys; from hub.cli import main; sys.exit(main())")
# Every command of the tree with its help, in one process for each language: a process apiece would take minutes.
HELPS = """
import contextlib, io, json, sys
from hub.cli.language import speak_to_library
speak_to_library()
import typer
from hub.cli.app import app, run
told, waiting = {}, [((), typer.main.get_command(app))]
while waiting:
    path, command = waiting.pop()
    waiting += [((*path, name), child) for name, child in getattr(command, "commands", {}).items()]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = run([*path, "--help"])
    told[" ".join(path)] = [code, out.getvalue()]
json.dump(told, sys.stdout)
"""
NOUNS = (
    *("list", "resource", "request", "grant", "key", "correct", "demand", "form", "clients"),
    "people",
    *("backup", "calendar"),
    *("ingest", "warehouse", "receipt", "batch", "hooks", "audit", "evidence", "witness"),
    *("licence", "seal", "material", "trust"),
)
VERBS = ("demo", "search", "inbox", "remind", "serve", "call", "changes", "mydata", "verify", "health")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def run(*arguments, home=None, stdin="", **environ):
    env = {**os.environ, "LANG": "C.UTF-8", "LC_ALL": "", "ZHENGTONG_HOME": str(home or "/nonexistent"), **environ}
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=env,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        input=stdin,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def helps():
    """Command → its help, by language."""

    def ask(lang):
        script = [sys.executable, "-c", HELPS, "--lang", lang]
        done = subprocess.run(script, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return {lang: ask(lang) for lang in ("zh", "en")}


def test_every_command_explains_itself_in_both_languages(helps):
    assert helps["zh"].keys() == helps["en"].keys()
    assert {path.split()[0] for path in helps["en"] if path} == {*NOUNS, *VERBS}
    assert all(sum(path.startswith(f"{noun} ") for path in helps["en"]) for noun in NOUNS)
    for path, (code, chinese) in helps["zh"].items():
        assert code == 0, path
        assert CHINESE.search(chinese), path
        assert not re.search(r"[A-Z][a-z]+ [a-z]+ [a-z]+", chinese), chinese
    for path, (code, english) in helps["en"].items():
        assert code == 0, path
        assert not CHINESE.search(english), english


def test_a_command_asked_by_itself_says_the_same(helps):
    for lang in ("zh", "en"):
        told = run("--lang", lang, "request", "new", "--help")
        assert (told.returncode, told.stdout.split()) == (0, helps[lang]["request new"][1].split())


def test_help_and_mistakes_wait_for_no_engine():
    heavy = "{'duckdb', 'pandas', 'pyarrow', 'sqlalchemy', 'fastapi'}"
    script = f"import sys, hub.cli.app; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_language_follows_the_option_then_the_locale():
    assert language.choose(["--lang", "zh"], {"LANG": "en_US.UTF-8"}) == "zh"
    assert language.choose(["list", "--lang=en"], {"LC_ALL": "zh_CN.UTF-8"}) == "en"
    assert language.choose([], {"LANG": "zh_TW"}) == "zh"
    assert language.choose([], {"LC_ALL": "C", "LANG": "zh_CN"}) == "en"
    assert language.choose([], {}) == "en"


@pytest.mark.parametrize(
    ("arguments", "chinese", "english"),
    [
        (("lisst",), "没有命令", "No such command"),
        (("list", "check"), "缺少", "missing"),
        (("list", "check", "x", "--fulll"), "没有选项", "No such option"),
        (("audit", "replay", "seven"), "无效", "not valid"),
        (("--lang", "fr", "list"), "zh 或 en", "zh or en"),
        (("request", "list", "--size", "0"), "`--size` 的值无效：应不小于 1", "`--size` is not valid"),
        (("request", "new", "3010010001"), "缺少 `--by`", "`--by` is missing"),
    ],
)
def test_a_usage_error_says_what_is_wrong_in_either_language(arguments, chinese, english):
    told = run(*arguments, LC_ALL="zh_CN.UTF-8")
    assert told.returncode == 2
    if "--lang" not in arguments:
        assert chinese in told.stderr
    told = run(*arguments)
    assert (told.returncode, told.stdout) == (2, "")
    assert english in told.stderr
    assert "Traceback" not in told.stderr


def test_usage_errors_are_json_when_json_is_asked_for():
    told = run("list", "check", "--json")
    assert told.returncode == 2
    assert json.loads(told.stdout)["code"] == "usage"


def test_an_unreadable_list_is_an_error_with_its_place_and_no_traceback(tmp_path):
    broken = tmp_path / "list.yaml"
    broken.write_text("city: [阜阳\n", encoding="utf-8")
    told = run("list", "check", str(broken), "--json")
    assert told.returncode == 5
    assert "Traceback" not in told.stdout + told.stderr
    faulty = tmp_path / "faulty.yaml"
    text = (REPOSITORY / "demo" / "responsibilities.yaml").read_text(encoding="utf-8")
    faulty.write_text(text.replace("code: GAJ", "code: GAX", 1), encoding="utf-8")
    told = run("list", "check", str(faulty))
    assert told.returncode == 5
    assert "faulty.yaml:" in told.stdout
    assert "GAJ" in told.stdout
    told = run("list", "publish", str(faulty), "--json", home=tmp_path / "var")
    plain = json.loads(told.stdout)
    assert (told.returncode, plain["ok"]) == (5, False)
    assert all(fault["where"] and fault["message"] for fault in plain["faults"])


def test_both_forms_of_the_demonstration_list_load_to_one_version():
    versions = {
        json.loads(run("list", "check", f"demo/responsibilities.{form}", "--json").stdout)["version"]
        for form in ("yaml", "xlsx")
    }
    assert len(versions) == 1
    assert versions.pop().startswith("sha256:")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("list", "show"), 1),
        (("audit", "verify"), 3),
        (("ingest", "run", "X"), 1),
        (("verify", "/nonexistent.licence.json"), 3),
        (("licence", "kinds"), 5),
        (("call", "X", "a=b", "--purpose", "M"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_before_anything_is_published_every_command_says_what_to_do(arguments, code, tmp_path):
    for lang in ("zh", "en"):
        told = run("--lang", lang, *arguments, home=tmp_path / "var")
        assert told.returncode == code, told.stderr
        assert told.stderr.strip()
        assert "Traceback" not in told.stderr
        assert bool(CHINESE.search(told.stderr)) == (lang == "zh")


def test_a_port_in_use_is_told_before_anything_is_begun(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for command in ("demo", "serve"):
            told = run(command, "--port", str(port), home=tmp_path / "var")
            assert told.returncode == 1
            assert str(port) in told.stderr
            assert "ZHENGTONG_API_PORT" in told.stderr
    assert not (tmp_path / "var" / "city").exists()


def test_personal_data_need_not_stand_on_the_command_line(tmp_path):
    # The holder of a licence is read from a file or standard input; an argument for it does not exist.
    assert "--holder-file" in run("licence", "issue", "--help").stdout
    assert run("licence", "issue", "营业执照", "91340000").returncode == 2


def error_classes():
    bases = {audit.errors.AuditError, catalog.errors.CatalogError, connectors.errors.ConnectorError}
    bases |= {licence.errors.LicenceError, warehouse.errors.WarehouseError, hub.errors.HubError}
    for package in (audit, catalog, connectors, licence, warehouse, hub):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if "migrations" not in module.name:
                importlib.import_module(module.name)
    found, waiting = set(), list(bases)
    while waiting:
        one = waiting.pop()
        found.add(one)
        waiting += one.__subclasses__()
    return sorted(found, key=lambda one: one.__qualname__)


def test_every_error_of_the_product_speaks_both_languages():
    for error in error_classes():
        templates = [getattr(error, lang, None) for lang in ("zh", "en")]
        if not all(templates):
            # Errors with a code carry their two texts in the table of codes instead.
            assert hasattr(error, "text"), error
            continue
        chinese, english = templates
        # A text of placeholders alone passes on one that is translated elsewhere.
        assert CHINESE.search(chinese) or not re.sub(r"{\w+}|\W", "", chinese), error
        assert not CHINESE.search(english), error
        names = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in templates]
        # What one language tells, the other tells too; only the words themselves may come in two versions.
        assert {name.removesuffix("_zh").removesuffix("_en") for name in names[0]} == {
            name.removesuffix("_zh").removesuffix("_en") for name in names[1]
        }, error


def test_many_warnings_of_one_kind_are_counted_instead_of_printed():
    past = "demo/responsibilities.yaml"
    few, every = run("list", "check", past), run("list", "check", past, "--all")
    assert (few.returncode, every.returncode) == (0, 0)
    assert len(few.stdout.splitlines()) == 3 < len(every.stdout.splitlines())
    hidden = len(every.stdout.splitlines()) - 3
    assert f"{hidden} more warnings" in few.stderr
    assert "more warnings" not in every.stderr


# Told by their own fields, which a class alone does not have; and what only the demonstration and programs meet.
BY_FIELDS = ("hub.client.", "hub.demo.")
# Somebody at the machine mends it (docs/operations.md): 1, like whatever nobody foresaw.
AT_THE_MACHINE = {"UnforeseenError", "HubError", "GrantError", "WorkError", "LicensingError", "SampleMissingError"}


def hub_errors():
    every = [one for one in error_classes() if issubclass(one, hub.errors.HubError)]
    return [one for one in every if one.__module__.startswith("hub.") and not one.__module__.startswith(BY_FIELDS)]


def test_every_error_of_the_hub_has_an_exit_code_by_what_to_do_next():
    from hub.cli.output import UNEXPECTED, exit_code_of

    codes = {one.__name__: exit_code_of(one.__new__(one)) for one in hub_errors()}
    unforeseen = {name for name, code in codes.items() if code == UNEXPECTED}
    setup = {one.__name__ for one in hub_errors() if issubclass(one, hub.errors.SetupError)}
    assert unforeseen - setup <= AT_THE_MACHINE
    assert codes["SecondOfficerError"] == codes["ApprovalMissingError"] == 4
    assert codes["LicencePendingError"] == codes["NotInForceError"] == 6
    assert codes["StoreDamagedError"] == 5
    assert codes["CopyUnknownError"] == 3


def test_the_table_of_exit_codes_names_errors_that_there_are():
    from hub.cli.output import _EXITS_OF_CODE
    from licence.findings import FINDINGS

    assert _EXITS_OF_CODE.keys() <= {one.code for one in hub_errors()} | FINDINGS.keys()
