"""The list in the portal: departments edit and send their parts, the office reviews, merges and publishes."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from catalog.export import to_xlsx
from hub import drafts, parts
from hub.actors import Actor
from hub.people import Duty
from tests.hub import world as worlds
from tests.hub.portal.browsing import HAN, text_of
from tests.hub.publishing import publish_list

OTHER = "306010/000003"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(scope="module", autouse=True)
def kept(service, world):
    """A list that names its office, and a resource of a second department."""
    list_ = service.standing.now().list
    other = worlds.resource(OTHER, provider="MZ", name="婚姻登记信息")
    line = replace(list_.responsibilities[0], resource=OTHER, provider="MZ")
    made = replace(
        list_,
        office="RS",
        resources=(*list_.resources, other),
        responsibilities=(*list_.responsibilities, line),
    )
    publish_list(world.settings, service.control, service.evidence, made, by="office")


@pytest.fixture
def clean(service):
    """No edits and no drafts are left behind."""
    yield
    for department in ("GA", "MZ", "RS"):
        parts.discard(service.office, department)
    for case in drafts.find(service.office, open_=True):
        drafts.withdraw(service.office, case.id, actor=Actor("RS", "office-1"))


def row_of(editor, table, number):
    """The form of a row as its page has it."""
    page = editor.see(f"/drafting/{table}/{number}").text
    form = page.partition(f'action="/drafting/{table}/{number}"')[2].partition("</form>")[0]
    values = dict(re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', form))
    values |= dict(re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>([^<]*)</textarea>', form))
    for name, options in re.findall(r'<select[^>]* name="([^"]+)">(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        values[name] = chosen[1] if chosen else ""
    values.pop("token", None)
    return {name: html.unescape(value) for name, value in values.items()}


def edit(editor, table, number, **changes):
    return editor.send(f"/drafting/{table}/{number}", **(row_of(editor, table, number) | changes))


def send(editor):
    return editor.send("/drafting/send", revision=editor.json("/drafting.json")["revision"])


@pytest.mark.usefixtures("clean")
def test_a_page_shows_a_row_and_keeping_it_as_it_is_changes_nothing(of_department, service):
    editor = of_department("GA", Duty.STAFF)
    for table in ("resources", "fields", "responsibilities"):
        assert edit(editor, table, 0).status_code == 303, table
    list_ = service.standing.now().list
    part = parts.get(service.office, list_, "GA")
    assert parts.check(service.office, list_, part).list_.version == list_.version
    assert "没有变化" in editor.read("/drafting/check")


@pytest.mark.usefixtures("clean")
def test_a_department_edits_is_told_what_to_mend_and_sends(of_department, signed_in, service):
    editor, office = of_department("GA", Duty.STAFF), signed_in(Duty.OFFICE)
    assert edit(editor, "resources", 0, cadence="有空时", abstract="<script>摘要</script>").status_code == 303
    page = editor.see("/drafting/check").text
    assert 'href="/drafting/resources/0"' in page
    assert "更新周期" in text_of(page)
    assert send(editor).status_code == 422
    assert edit(editor, "resources", 0, cadence="每周").status_code == 303
    found = editor.json("/drafting/check.json")
    assert found["sound"]
    # The cycle and the abstract.
    assert found["total"] == 2
    sent = send(editor)
    assert sent.status_code == 303
    where = sent.headers["location"]
    for path in ("/drafting/resource/0", "/drafting/resources/0"):
        page = editor.see(path).text
        assert "&lt;script&gt;摘要" in page
        assert "<script>摘要" not in page
    assert office.json(f"{where}.json")["from_name"] == "公安局"
    # It goes back for mending, is mended, and is the same draft.
    revision = office.json(f"{where}.json")["revision"]
    assert office.send(f"{where}/return", revision=revision, note="").status_code == 422
    assert office.send(f"{where}/return", revision=revision, note="摘要请写清范围").status_code == 303
    assert "摘要请写清范围" in editor.read("/drafting")
    assert edit(editor, "resources", 0, abstract="户籍人口，每周更新").status_code == 303
    assert send(editor).headers["location"] == where
    revision = office.json(f"{where}.json")["revision"]
    assert office.send(f"{where}/approve", revision=revision).status_code == 303
    assert office.send(f"{where}/publish", revision=revision + 1).status_code == 303
    assert service.standing.now().list.by_code[worlds.CODE].abstract == "户籍人口，每周更新"
    assert not editor.json("/drafting.json")["edited"]
    assert "每周" in office.read("/lists/diff")


@pytest.mark.usefixtures("clean")
def test_resources_fields_and_lines_are_added_and_withdrawn(of_department):
    editor = of_department("MZ", Duty.REVIEWER)
    new = row_of(editor, "resources", 0) | {"code": "306010/000009", "name": "收养登记信息"}
    made = editor.send("/drafting/resources/new", **new)
    assert made.headers["location"] == "/drafting/resource/1"
    assert editor.json("/drafting/check.json")["errors"] > 0
    key = row_of(editor, "fields", 0)
    for name in ("fields", "responsibilities"):
        form = row_of(editor, name, 0) | {"resource": "306010/000009"}
        form["revision"] = editor.json("/drafting.json")["revision"]
        assert editor.send(f"/drafting/{name}/new", **form).headers["location"] == "/drafting/resource/1"
    assert key["name"] == "citizen_id"
    found = editor.json("/drafting/check.json")
    assert found["sound"], found["faults"]
    revision = editor.json("/drafting.json")["revision"]
    assert editor.send("/drafting/resources/0/remove", revision=revision).headers["location"] == "/drafting"
    overview = editor.json("/drafting.json")
    assert [one["code"] for one in overview["resources"]] == ["306010/000009"]
    assert [one["code"] for one in overview["withdrawn"]] == [OTHER]
    assert editor.send("/drafting/discard", revision=overview["revision"]).status_code == 303
    assert not editor.json("/drafting.json")["edited"]


@pytest.mark.usefixtures("clean")
def test_of_two_who_edit_at_once_the_second_is_told(of_department):
    first, second = of_department("GA", Duty.STAFF), of_department("GA", Duty.REVIEWER)
    seen = row_of(second, "resources", 1)
    assert edit(first, "resources", 1, abstract="一").status_code == 303
    answer = second.send("/drafting/resources/1", **(seen | {"abstract": "二"}))
    assert answer.status_code == 409
    # What was typed stays.
    assert "二" in text_of(answer.text)
    revision = first.json("/drafting.json")["revision"]
    for path in ("/drafting/resources/99", "/drafting/resources/x", "/drafting/people/0"):
        assert first.see(path).status_code == 404
        assert first.send(path, revision=revision).status_code == 404


@pytest.mark.usefixtures("clean")
def test_more_than_a_department_keeps_is_not_kept(of_department, monkeypatch):
    editor = of_department("GA", Duty.STAFF)
    monkeypatch.setattr(parts, "MAX_CELL_CHARS", 100)
    assert edit(editor, "resources", 0, abstract="长" * 101).status_code == 422
    monkeypatch.undo()
    monkeypatch.setattr(parts, "MAX_ROWS", 5)
    assert edit(editor, "resources", 0, abstract="短").status_code == 422
    assert not editor.json("/drafting.json")["edited"]


@pytest.mark.usefixtures("clean")
def test_faults_call_columns_as_the_forms_do_in_english_with_the_key(of_department):
    editor, english = of_department("GA", Duty.STAFF), of_department("GA", Duty.STAFF, **{"accept-language": "en"})
    assert edit(editor, "resources", 0, cadence="whenever", name="").status_code == 303
    assert "“名称”为空" in editor.read("/drafting/check").replace(" ", "")
    page = english.read("/drafting/check")
    assert "“Name (name)” is empty" in page
    assert "“Update cadence (cadence)”" in page
    assert "`" not in page


@pytest.mark.usefixtures("clean")
def test_a_row_in_which_nothing_stands_is_not_kept(of_department, service):
    editor, english = of_department("GA", Duty.STAFF), of_department("GA", Duty.STAFF, **{"accept-language": "en"})
    before = editor.json("/drafting.json")
    for table in parts.parts.EDITED:
        blank = {"revision": before["revision"], "resource": worlds.CODE}
        refused = editor.send(f"/drafting/{table.key}/new", **blank)
        assert refused.status_code == 422
        assert "未填写任何内容" in text_of(refused.text)
    refused = english.send("/drafting/resources/new", revision=before["revision"], name="  ")
    assert refused.status_code == 422
    assert "Nothing was filled in, so nothing was kept. Needed are: Code, Name" in text_of(refused.text)
    blank = dict.fromkeys(row_of(editor, "resources", 0), "") | {"revision": before["revision"]}
    assert editor.send("/drafting/resources/0", **blank).status_code == 422
    assert editor.json("/drafting.json") == before
    assert editor.send("/drafting/resources/new", revision=before["revision"], name="收养登记").status_code == 303


@pytest.mark.usefixtures("clean")
def test_nobody_edits_or_sends_what_another_keeps(of_department, signed_in):
    editor = of_department("GA", Duty.STAFF)
    assert OTHER not in editor.see("/drafting").text
    form = row_of(editor, "fields", 1) | {"resource": OTHER, "name": "smuggled"}
    assert editor.send("/drafting/fields/new", **form).status_code == 303
    assert send(editor).status_code in {403, 422}
    assert signed_in(Duty.AUDITOR).see("/drafting").status_code == 403
    assert of_department("GA", Duty.STAFF).see("/lists/new").status_code == 403


@pytest.mark.usefixtures("clean")
def test_what_departments_sent_is_merged_and_published_as_one(of_department, signed_in, service):
    office, before = signed_in(Duty.OFFICE), service.standing.now().list
    sent = []
    for department, number in (("GA", 1), ("MZ", 0)):
        editor = of_department(department, Duty.STAFF)
        assert edit(editor, "resources", number, abstract=f"{department} 的新摘要").status_code == 303
        sent.append(send(editor).headers["location"].rpartition("/")[2])
    assert {one["id"] for one in office.json("/drafting/merge.json")["drafts"]} == set(sent)
    assert office.send("/drafting/merge", draft=sent[0]).status_code == 422
    merged = office.send("/drafting/merge", draft=sent)
    assert merged.status_code == 303
    where = merged.headers["location"]
    found = office.json(f"{where}.json")
    assert found["total"] == 2
    assert office.json("/drafting/merge.json")["drafts"] == []
    # Who merged does not approve; another person of the office does.
    assert "approve" not in found["steps"]
    assert office.send(f"{where}/approve", revision=found["revision"]).status_code == 403
    second = of_department("RS", Duty.OFFICE)
    assert second.send(f"{where}/approve", revision=found["revision"]).status_code == 303
    assert second.send(f"{where}/publish", revision=found["revision"] + 1).status_code == 303
    now = service.standing.now().list
    assert now.by_code[OTHER].abstract == "MZ 的新摘要"
    assert now.by_code[worlds.EMPTY_CODE].abstract == "GA 的新摘要"
    assert now.resources[0] == before.resources[0]


@pytest.mark.usefixtures("clean")
def test_edits_of_what_was_changed_in_force_meanwhile_are_not_sent(of_department, service, world):
    editor = of_department("GA", Duty.STAFF)
    assert edit(editor, "resources", 0, abstract="草稿").status_code == 303
    list_ = service.standing.now().list
    changed = replace(list_.resources[0], abstract="主管部门改定")
    publish_list(
        world.settings,
        service.control,
        service.evidence,
        replace(list_, resources=(changed, *list_.resources[1:])),
        by="office",
    )
    assert send(editor).status_code == 409
    # What others keep may change: that is no conflict.
    parts.discard(service.office, "GA")
    assert edit(editor, "resources", 0, abstract="再次修改").status_code == 303
    list_ = service.standing.now().list
    other = replace(list_.by_code[OTHER], abstract="民政改定")
    resources = tuple(other if one.code == OTHER else one for one in list_.resources)
    publish_list(world.settings, service.control, service.evidence, replace(list_, resources=resources), by="office")
    assert send(editor).status_code == 303


@pytest.mark.usefixtures("clean")
def test_the_office_checks_a_file_and_hands_it_in(signed_in, service, of_department):
    office, list_ = signed_in(Duty.OFFICE), service.standing.now().list
    book = office.see("/lists/versions/current/workbook")
    assert book.headers["content-type"] == XLSX
    assert book.content == to_xlsx(list_)
    assert office.send("/lists/new").status_code == 422
    assert office.send("/lists/new", files={"file": ("list.exe", b"MZ", "x")}).status_code == 422
    assert office.send("/lists/new", files={"file": ("list.xlsx", b"PK nonsense", XLSX)}).status_code == 422
    bad = "city: 示例市\ntitle: x\nyear: soon\nbatch: 1\n".encode()
    refused = office.send("/lists/new", files={"file": ("list.yaml", bad, "text/yaml")})
    assert refused.status_code == 422
    assert "list.yaml:3" in refused.text
    good = to_xlsx(replace(list_, title="新的清单"))
    only = office.send("/lists/new", files={"file": ("list.xlsx", good, XLSX)}, only="check")
    assert "检查通过" in text_of(only.text)
    sent = office.send("/lists/new", files={"file": ("list.xlsx", good, XLSX)})
    assert sent.status_code == 303
    where = sent.headers["location"]
    assert of_department("MZ", Duty.STAFF).see(where).status_code == 403
    assert of_department("MZ", Duty.REVIEWER).see(where).status_code == 200
    assert of_department("MZ", Duty.REVIEWER).send(f"{where}/publish").status_code == 403
    assert office.send(f"{where}/no-such").status_code == 404
    again = office.send("/lists/new", files={"file": ("list.xlsx", good, XLSX)})
    assert again.status_code == 422


@pytest.mark.usefixtures("clean")
def test_the_pages_are_whole_in_english(of_department, signed_in):
    english = {"accept-language": "en"}
    editor = of_department("GA", Duty.STAFF, **english)
    assert edit(editor, "resources", 0, cadence="whenever").status_code == 303
    pages = [(editor, path) for path in ("/drafting", "/drafting/check", "/drafting/resources/new", "/lists")]
    pages += [(editor, f"/drafting/{table}/new") for table in ("fields", "responsibilities", "quality")]
    pages += [(signed_in(Duty.OFFICE, **english), path) for path in ("/lists", "/lists/new", "/drafting/merge")]
    for visitor, path in pages:
        words = visitor.read(path)
        for name in ("示例市", "中文", "另一人", "测试数据主管部门", "人口基础信息", "数据共享责任清单"):
            words = words.replace(name, "")
        # The checks quote the words by which a list writes a cycle.
        words = re.sub("“[^”]*”", "", words)
        assert not HAN.findall(words), (path, HAN.findall(words))


def test_the_same_rows_are_checked_once(service, clean, monkeypatch):
    office, list_ = service.office, service.standing.now().list
    asked = []
    put_in = parts.parts.put_in
    monkeypatch.setattr(parts.parts, "put_in", lambda *args, **named: asked.append(args) or put_in(*args, **named))
    parts._seen.cache_clear()
    part = parts.get(office, list_, "GA")
    first = parts.look(office, list_, part)
    assert parts.look(office, list_, part) is first
    assert len(asked) == 1
    number = next(n for n, row in enumerate(part.rows["resources"]))
    parts.write(office, part, "resources", number, {"abstract": "另一摘要"}, actor=Actor("GA", "clerk"))
    edited = parts.look(office, list_, parts.get(office, list_, "GA"))
    assert len(asked) == 2
    assert len(edited.differs.changes) == len(first.differs.changes) + 1
