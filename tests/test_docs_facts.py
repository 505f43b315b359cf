"""What the papers say about the code is so: codes, errors, settings, exit codes, entries, texts in both languages."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import string
from typing import TYPE_CHECKING

import pytest
import typer
import yaml

import catalog.correction
import catalog.domains
import catalog.expressions
import catalog.layout
import catalog.reasons
import connectors.paging
import connectors.places
import connectors.registry
import connectors.signing
import hub.api.problems
import licence.population.files
import licence.profile
import licence.report
import warehouse.reasons
from catalog.clock import NATIONAL
from catalog.clockfiles import read_profile
from catalog.model import Deletion, Disposition, DriftPolicy, QualityKind
from connectors.errors import ConnectorSettingsError
from connectors.relational import ReadOptions
from hub import actors, alerts, freshness, registry, systems, upkeep
from hub.alertwords import ALERTS
from hub.api.app import create_app
from hub.cli import ingest_office, output
from hub.cli.ingest import ingest
from hub.cli.warehouse import warehouse as warehouse_commands
from hub.requests import parse_call, parse_question
from hub.settings import Settings
from licence.lifecycle import STATE_NAMES
from tests.test_docs import CHINESE_TEXT, PAPERS, ROOT, blocks, named

if TYPE_CHECKING:
    from pathlib import Path


def first_cells(path: Path, heading: str) -> list[str]:
    """The first cell of every row of the table whose first heading is *heading*."""
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            next(lines)
            cells = []
            for row in lines:
                if not row.startswith("|"):
                    return cells
                cells.append(row.split("|")[1].strip())
            return cells
    raise AssertionError(f"{named(path)} has no table headed {heading}")


def codes_in(cells: list[str]) -> list[str]:
    return [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]


def table(path: Path, heading: str) -> list[list[str]]:
    """The rows, cell by cell, of every table whose first heading is *heading*."""
    found: list[list[str]] = []
    inside = False
    for line in path.read_text(encoding="utf-8").splitlines():
        inside = line.startswith("|") and (inside or line.startswith(f"| {heading} |"))
        if inside and not line.startswith((f"| {heading} |", "|---")):
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    assert found, f"{named(path)} has no table headed {heading}"
    return found


DOCS = ROOT / "docs"
PACKAGES = ("audit", "catalog", "connectors", "hub", "licence", "warehouse")


def sources() -> str:
    return "\n".join(p.read_text("utf-8") for name in (*PACKAGES, "dags") for p in (ROOT / name).rglob("*.py"))


def test_every_reject_reason_is_explained_once() -> None:
    section = DOCS / "ingestion.md"
    explained = codes_in(first_cells(section, "code"))
    assert sorted(explained) == sorted(warehouse.reasons.REASONS)


def test_every_kind_of_source_is_explained() -> None:
    assert sorted(codes_in(first_cells(DOCS / "sources.md", "kind"))) == sorted(connectors.registry.KINDS)


def connector_sources() -> str:
    return "\n".join(p.read_text("utf-8") for p in (ROOT / "connectors").glob("*.py"))


@pytest.mark.parametrize(
    ("heading", "columns"), [("kind", (2, 3)), ("place", (1,)), ("setting", (0,)), ("auth", (1,)), ("paging", (1,))]
)
def test_every_setting_and_option_of_a_source_is_one_that_a_connector_reads(
    heading: str, columns: tuple[int, ...]
) -> None:
    code = connector_sources()
    told = {c for row in table(DOCS / "sources.md", heading) for c in codes_in([row[i] for i in columns])}
    words = {name for name in told if re.fullmatch(r"[a-z][a-z0-9_]*", name)}
    assert len(words) > 2
    # Values of settings, and kinds that others are told to be like.
    words -= {"gb18030", "basic", "body", "generic", "national", "sqlalchemy", "postgresql", "csv"}
    assert sorted(name for name in words if f'"{name}"' not in code) == []


def test_the_places_of_files_and_the_ways_of_services_are_told() -> None:
    paper = DOCS / "sources.md"
    assert codes_in(first_cells(paper, "place")) == list(connectors.places.PLACES)
    assert codes_in(first_cells(paper, "paging")) == list(connectors.paging.PAGINGS)
    assert ["none", *codes_in(first_cells(paper, "auth"))] == list(connectors.signing.AUTHS)


def test_the_options_of_sql_kinds_are_told_as_they_are_read() -> None:
    read = inspect.getsource(ReadOptions.of)
    # The first table headed so is the one of files.
    rows = {codes_in(row[:1])[0]: row[1] for row in table(DOCS / "sources.md", "option")}
    rows = {name: rows[name] for name in ("range", "lag", "until", "delay", "chunk", "measure")}
    assert set(rows) == set(re.findall(r'options(?:\.get\(|, )"(\w+)"', read))
    for name in ("range", "until", "chunk", "measure"):
        (choices,) = re.findall(rf'opt\.choice\(options, "{name}", \(([^)]*)\)', read)
        told = [word for word in codes_in([rows[name]]) if word.isalpha()]
        assert sorted(told) == sorted(filter(None, re.findall(r'"(\w*)"', choices))), name
        for word in told:
            ReadOptions.of({name: word}, "paper")
        with pytest.raises(ConnectorSettingsError):
            ReadOptions.of({name: "no such word"}, "paper")
    for span in codes_in([rows["lag"]]):
        ReadOptions.of({"lag": span}, "paper")
    (delay,) = [code for code in codes_in([rows["delay"]]) if code[0].isdigit()]
    assert ReadOptions.of({"until": "clock", "delay": delay}, "paper").delay_s == 300


def test_the_endings_of_secret_settings_are_told() -> None:
    (sentence,) = re.findall(
        r"Settings that end in (.+?)\s+must be references", (DOCS / "sources.md").read_text("utf-8"), re.DOTALL
    )
    assert sorted(codes_in([sentence])) == sorted(connectors.registry.SECRET_SETTINGS)


def test_every_reason_of_a_denial_is_explained() -> None:
    explained = codes_in(first_cells(DOCS / "api.md", "code"))
    assert sorted([*explained, "allowed", "field_withheld", "field_prohibited"]) == sorted(catalog.reasons.REASONS)


def test_every_problem_code_in_the_papers_exists_with_its_status() -> None:
    known = hub.api.problems.known_problems()
    rows = re.findall(r"^\| (4\d\d|5\d\d) \| ([^|]+) \|", (DOCS / "api.md").read_text("utf-8"), re.MULTILINE)
    statuses = {"400", "401", "403", "404", "409", "410", "413", "415", "422", "429", "503"}
    assert {status for status, _ in rows} == statuses
    wrong = [(s, c) for s, cell in rows for c in codes_in([cell]) if known.get(c, {}).get("status") != int(s)]
    assert wrong == []


def test_every_error_named_in_the_papers_exists() -> None:
    quoted = {e for p in PAPERS for e in re.findall(r"`(?:[\w.]+\.)?(\w+Error)`", p.read_text("utf-8"))}
    defined = set(re.findall(r"^class (\w+Error)\(", sources(), re.MULTILINE)) | {"ValueError"}
    assert quoted
    assert quoted - defined == set()


def test_every_error_of_a_load_is_explained() -> None:
    explained = set(codes_in(first_cells(DOCS / "ingestion.md", "error")))
    defined = set(re.findall(r"^class (\w+Error)\((?:ConnectorError|Source\w+Error)\)", sources(), re.MULTILINE))
    # The classes of the warehouse that only its readers meet are explained where reading is.
    of_readers = {
        "FieldMissingError",
        "TableMissingError",
        "SnapshotMissingError",
        "IndexDamagedError",
        "IndexMissingError",
        "FieldNotIndexedError",
    }
    defined |= set(re.findall(r"^class (\w+Error)\(WarehouseError\)", sources(), re.MULTILINE)) - of_readers
    assert explained == defined


def test_what_the_papers_say_is_retried_is_what_the_dags_retry() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "dags").glob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    rules = [call for call in calls if getattr(call.func, "id", "") == "RetryRule"]
    retried = set()
    for given in ({k.arg: k.value for k in rule.keywords} for rule in rules):
        if ast.unparse(given["action"]) == "RetryAction.RETRY":
            named_ones = [n.value for n in ast.walk(given["exception"]) if isinstance(n, ast.Constant)]
            retried |= {str(name) for name in named_ones}
    # Of the hub's own, whatever says that it may be asked again.
    retried -= {"hub.errors.TryAgainError"}
    rows = table(DOCS / "ingestion.md", "error")
    assert {row[1] for row in rows} == {"yes", "no"}
    assert sorted(c for row in rows if row[1] == "yes" for c in codes_in(row[:1])) == sorted(
        name.rpartition(".")[2] for name in retried
    )


def test_every_setting_is_explained_and_every_explained_one_exists() -> None:
    explained = set(codes_in(first_cells(DOCS / "operations.md", "variable")))
    assert explained == set(re.findall(r"\bZHENGTONG_[A-Z0-9_]+\b", sources()))


def test_every_exit_code_is_explained_and_every_explained_one_exists() -> None:
    explained = {int(cell) for cell in first_cells(DOCS / "operations.md", "code")}
    used = {value for name, value in vars(output).items() if name.isupper() and isinstance(value, int)}
    used |= {
        value for name, value in vars(licence.report).items() if name.startswith("EXIT_") and isinstance(value, int)
    }
    assert explained == used
    verdicts = {int(cell) for cell in first_cells(DOCS / "licences.md", "exit code")}
    assert verdicts == {v for n, v in vars(licence.report).items() if n.startswith("EXIT_") and isinstance(v, int)}


# A case's entry is `KIND.STEP`; these modules take the steps of the kinds.
CASES = {
    "application": "applications",
    "correction": "corrections",
    "demand": "demands",
    "list": "drafts",
    "recall": "recall",
    "dossier": "licensing/dossiers/steps",
    "decision": "licensing/dossiers/decisions",
}
STEP = re.compile(r"[a-z]+(_[a-z]+)*")
ENTRY = re.compile(r"[a-z]+(\.[a-z_]+)+")


def texts_in(node: ast.AST, names: dict[str, str]) -> set[str]:
    """The texts that *node* may stand for: itself, either branch of a condition, a constant of the module."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return texts_in(node.body, names) | texts_in(node.orelse, names)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        return {text for name, text in names.items() if name.startswith(f"{node.value.id}[")}
    return {names[node.id]} if isinstance(node, ast.Name) and node.id in names else set()


def imported(tree: ast.Module) -> dict[str, str]:
    """The texts that a module takes from others of ours: the names of entries that verifiers know, too."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("licence.", "hub.")):
            source = importlib.import_module(node.module or "")
            texts = {alias.asname or alias.name: getattr(source, alias.name, None) for alias in node.names}
            found |= {name: text for name, text in texts.items() if isinstance(text, str)}
    return found


def constants(tree: ast.Module) -> dict[str, str]:
    """The texts that a module names, one by one or several at once."""
    found = imported(tree)
    for node in tree.body:
        if isinstance(node, ast.Assign):
            (target, value) = (node.targets[0], node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            (target, value) = (node.target, node.value)
        else:
            continue
        if isinstance(target, ast.Name) and isinstance(value, ast.Dict):
            texts = [one.value for one in value.values if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            found |= {f"{target.id}[{number}]": text for number, text in enumerate(texts)}
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for name, text in pairs:
            if isinstance(name, ast.Name) and isinstance(text, ast.Constant) and isinstance(text.value, str):
                found[name.id] = text.value
    return found


def steps_of(module: str) -> set[str]:
    """The steps that a module of cases takes: what it hands to `open`, `act` and its own helpers as the step."""
    tree = ast.parse((ROOT / "hub" / f"{module}.py").read_text("utf-8"))
    names = constants(tree)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "step" for t in node.targets):
            found |= texts_in(node.value, names)
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if not name.endswith("Error"):
            found |= {t for k in node.keywords if k.arg == "step" for t in texts_in(k.value, names)}
        if name in {"_act", "_step"}:
            found |= {t for argument in node.args for t in texts_in(argument, names)}
    return {step for step in found if STEP.fullmatch(step)}


def kinds_written() -> set[str]:
    """The kinds of entry that the code writes."""
    found = {f"{kind}.{step}" for kind, module in CASES.items() for step in steps_of(module)}
    for path in (ROOT / "hub").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        names = constants(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in {"append", "record", "draft", "_record"} and node.args:
                found |= {text for text in texts_in(node.args[0], names) if ENTRY.fullmatch(text)}
    # Called by its module's name where it is written.
    found.add(licence.population.files.TOTALS_ENTRY)
    return found | {f"grant.{word}" for word in ("suspended", "resumed", "revoked", "handed_back")}


def test_every_kind_of_entry_that_is_written_is_in_the_papers_and_no_other() -> None:
    explained = codes_in(first_cells(DOCS / "log-format.md", "kind"))
    assert len(explained) == len(set(explained)) > 40
    assert set(explained) == kinds_written()


def test_the_kinds_of_entry_are_read_out_of_the_code() -> None:
    written = kinds_written()
    assert {"application.appeal", "list.published", "recall.acknowledged", "case.overdue", "grant.given"} <= written
    # By a name from another module, and by one of several.
    assert {licence.profile.STATUS_ENTRY, "licence.issued", "seal.disabled", "seal.signer.added"} <= written
    assert 'f"grant.{change}"' in (ROOT / "hub/grants.py").read_text("utf-8")


def test_every_address_in_the_paper_on_the_api_is_served_and_every_served_one_is_there() -> None:
    table = re.findall(r"^\| (`(?:GET|POST) [^|]+) \|", (DOCS / "api.md").read_text("utf-8"), re.MULTILINE)
    told = {address.partition("?")[0] for address in codes_in(table)}
    served = {
        f"{method} {getattr(route, 'path', '').replace(':path', '')}"
        for route in create_app(Settings.at(ROOT / "var")).routes
        for method in getattr(route, "methods", set()) & {"GET", "POST"}
    }

    def fits(address: str, pattern: str) -> bool:
        example = re.sub(r"\{\w+\}|…", "x", address)
        wild = re.sub(r"\\{path\\}|…", ".+", re.escape(pattern))
        return re.fullmatch(re.sub(r"\\{\w+\\}", "[^ /]+", wild), example) is not None

    def same(told: str, served: str) -> bool:
        return fits(told, served) or fits(served, told)

    assert len(told) > 40
    assert [a for a in sorted(told) if not any(same(a, s) for s in served)] == []
    assert [s for s in sorted(served) if s != "GET /openapi.json" and not any(same(a, s) for a in told)] == []


def test_the_tables_of_a_list_are_told_as_they_are_read() -> None:
    lines = (DOCS / "catalogue.md").read_text("utf-8").split("| sheet (YAML key) |")[1].splitlines()[2:]
    told = {}
    for line in lines[: lines.index("")]:
        sheet, columns = (cell.strip() for cell in line.split("|")[1:3])
        told[sheet.partition(" ")[0]] = columns.split(", ")
    assert told == {
        table.sheet: [f"**{c.title}**" if c.required else c.title for c in table.columns]
        for table in (catalog.layout.COVER, *catalog.layout.TABLES)
    }


def test_the_clocks_are_told_as_they_run() -> None:
    told = re.findall(
        r"^\| `([a-z.]+)` \| (\d+) (working|calendar) \| (yes|no) \|",
        (DOCS / "catalogue.md").read_text("utf-8"),
        re.MULTILINE,
    )
    rules = read_profile(None, NATIONAL).rules
    assert set(told) == {(r.code, str(r.days), str(r.unit), "yes" if r.verified else "no") for r in rules}


def test_the_faults_of_a_correction_and_the_roles_of_a_key_are_told() -> None:
    faults = codes_in(first_cells(DOCS / "catalogue.md", "fault"))
    assert sorted(faults) == sorted(catalog.correction.FAULTS)
    assert codes_in(first_cells(DOCS / "catalogue.md", "role")) == list(actors.Role)


def test_the_states_of_a_licence_are_told_as_they_are() -> None:
    told = re.findall(r"^\| (\S+) [^|]+ \| (\d\d) \|", (DOCS / "licences.md").read_text("utf-8"), re.MULTILINE)
    names = {(names[0], state.value) for state, names in STATE_NAMES.items()}
    assert len(told) >= 6
    assert set(told) <= names


def placeholders(template: str) -> set[str]:
    """The parameters of a template; a pair like `why`, `why_zh` is one parameter in two languages."""
    found = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    return {re.sub(r"_(en|zh)$", "", name) for name in found}


def error_texts() -> list[tuple[str, str, str]]:
    found = []
    for package in PACKAGES:
        module = importlib.import_module(f"{package}.errors")
        kinds = [
            k
            for k in vars(module).values()
            if isinstance(k, type) and hasattr(k, "en") and k.__module__ == module.__name__
        ]
        found += [(f"{package}.{kind.__name__}", kind.en, kind.zh) for kind in kinds]
    return found


def table_texts() -> list[tuple[str, str, str]]:
    tables = {
        "catalog.reasons": "REASONS", "catalog.faults": "FAULTS", "connectors.problems": "PROBLEMS",
        "catalog.steps": "_PROBLEMS", "hub.replaying": "FINDINGS", "hub.notices": "NOTICES",
        "licence.findings": "FINDINGS", "warehouse.reasons": "REASONS",
    }  # fmt: skip
    return [
        # A fault has its severity before the two texts.
        (f"{module}.{code}", texts[-2], texts[-1])
        for module, name in tables.items()
        for code, texts in getattr(importlib.import_module(module), name).items()
        # Its texts are a fault's own, in both languages.
        if code != "list_fault"
    ]


def test_every_message_says_the_same_in_both_languages() -> None:
    all_texts = [*error_texts(), *table_texts()]
    assert len(all_texts) > 200
    assert [name for name, en, zh in all_texts if placeholders(en) != placeholders(zh)] == []
    # A template of placeholders alone takes its words from its parameters.
    worded = [(n, e, z) for n, e, z in all_texts if re.search(r"[a-z]", re.sub(r"\{[^}]*\}", "", e))]
    assert [name for name, _, zh in worded if not CHINESE_TEXT.search(zh)] == []


def test_the_bodies_in_the_paper_on_the_api_are_calls() -> None:
    bodies = [json.loads(body) for info, body in blocks(DOCS / "api.md") if info == "json"]
    questions = [body for body in bodies if "action" in body]
    assert [parse_question(body)[0] for body in questions] == ["query"]
    calls = [body for body in bodies if "keys" in body and body not in questions]
    assert [parse_call("verify" if "claims" in body else "query", body).purpose.matter for body in calls] == [
        "341200-MZJ-0001",
        "341200-JTJ-0001",
    ]


def test_the_files_of_source_systems_in_the_paper_load(tmp_path: Path) -> None:
    texts = [body for info, body in blocks(DOCS / "ingestion.md") if info == "yaml" and body.startswith("systems:")]
    assert len(texts) == 2
    for text in texts:
        (tmp_path / "systems.yaml").write_text(text, encoding="utf-8")
        found = systems.load(tmp_path / "systems.yaml")
        for system in found.values():
            secrets = connectors.registry.secrets_from({}, extra={"airflow": lambda _: None})
            assert connectors.registry.connect(system.kind, system.settings, secrets).kind == system.kind
    assert systems.load(tmp_path / "systems.yaml")["ga-population"].connections == 2


def test_the_file_of_alerts_in_the_paper_loads(tmp_path: Path) -> None:
    (text,) = [body for info, body in blocks(DOCS / "operations.md") if info == "yaml"]
    (tmp_path / "alerts.yaml").write_text(text, encoding="utf-8")
    hook, mail = alerts.channels(tmp_path / "alerts.yaml")
    assert (hook.kind, mail.kind) == (alerts.WEBHOOK, alerts.EMAIL)
    assert mail.kinds == ("load_failed", "late")
    assert mail.departments == ("GAJ",)
    # No line of it is passed over.
    read = {"name", "kind", "kinds", "departments", "language", *hook.settings, *mail.settings}
    assert {name for entry in yaml.safe_load(text)["channels"] for name in entry} == read


def test_every_alert_is_told_with_how_soon_somebody_must_look() -> None:
    rows = table(DOCS / "operations.md", "alert")
    assert {codes_in(row[:1])[0]: row[1] for row in rows} == {kind: word.severity for kind, word in ALERTS.items()}
    assert len(rows) == len(ALERTS)


def test_the_lights_and_their_promises_are_told() -> None:
    paper = DOCS / "operations.md"
    assert sorted(codes_in(first_cells(paper, "light"))) == sorted(freshness.Light)
    text = " ".join(paper.read_text("utf-8").split())
    (promise,) = re.findall(
        r"hourly pulls (\d+) hours, daily (\d+) hours, weekly (\d+) days, monthly (\d+), quarterly (\d+), yearly (\d+)",
        text,
    )
    hours, days = [int(n) for n in promise[:2]], [int(n) for n in promise[2:]]
    held = [freshness.PROMISED[cadence].total_seconds() / 3600 for cadence in freshness.Cadence]
    assert [*hours, *(24 * n for n in days)] == held


def test_every_dag_is_told_and_every_told_one_is_drawn() -> None:
    drawn = {f"{registry.INGEST}CODE", f"{registry.ROLLUP}CODE"}
    for path in (ROOT / "dags").glob("*.py"):
        text = path.read_text("utf-8")
        drawn |= set(re.findall(r'dag_id="(\w+)"', text)) | set(re.findall(r'^HEALTH = "(\w+)"', text, re.MULTILINE))
    assert sorted(codes_in(first_cells(DOCS / "operations.md", "DAG"))) == sorted(drawn)
    text = (DOCS / "operations.md").read_text("utf-8") + (DOCS / "ingestion.md").read_text("utf-8")
    assert set(re.findall(r"\b(\d+) (?:tables with|resources each)", " ".join(text.split()))) == {
        str(upkeep.RECONCILED_A_NIGHT)
    }


def test_every_command_of_ingestion_and_of_the_warehouse_is_told() -> None:
    cells = first_cells(DOCS / "ingestion.md", "command")
    told = {word for cell in cells for word in re.findall(r"`(?:zhengtong \w+ )?([a-z]+)", cell)}
    of_people = typer.Typer()
    ingest_office.add_to(of_people)
    there = {c.name for app in (ingest, of_people, warehouse_commands) for c in app.registered_commands}
    assert told == there


def test_what_a_list_says_of_loading_is_told_as_it_is() -> None:
    paper = DOCS / "ingestion.md"
    assert codes_in(first_cells(paper, "disposition")) == list(Disposition)
    assert sorted(codes_in(first_cells(paper, "kind"))) == sorted(QualityKind)
    assert codes_in([cell.split()[0] for cell in first_cells(paper, "policy")]) == list(DriftPolicy)
    loading = {row[0]: row[1] for row in table(DOCS / "catalogue.md", "column")}
    assert codes_in([loading["入库方式"]]) == list(Disposition)
    assert codes_in([loading["删除方式"]]) == list(Deletion)
    for word in codes_in([loading["结构变化处理"]]):
        assert catalog.domains.DRIFT.find(word) or catalog.domains.DRIFT_POLICY.find(word), word
    # Every column that is explained is one of the list.
    titles = {c.title for t in catalog.layout.TABLES for c in t.columns}
    assert {name.split(" ")[0] for cell in loading for name in cell.split(", ")} <= titles


def test_the_kinds_of_quality_rules_are_told_with_their_words() -> None:
    rows = table(DOCS / "catalogue.md", "规则类型")
    words = {codes_in(row[:1])[0]: row[0].split(" ")[1] for row in rows}
    assert words == {kind.value: catalog.domains.QUALITY_KIND.word(kind) for kind in QualityKind}


def test_the_rules_between_fields_in_the_paper_are_rules() -> None:
    (text,) = [body for info, body in blocks(DOCS / "catalogue.md") if info == "text"]
    parsed = [catalog.expressions.parse(line) for line in text.splitlines()]
    assert [len(rule.fields) for rule in parsed] == [2, 2, 3]
