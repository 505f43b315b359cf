from __future__ import annotations

import io
import json
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings

from catalog.errors import ListTooLongForExcelError, ListUnreadableError
from catalog.export import to_csv_zip, to_xlsx, to_yaml
from catalog.load import from_plain, load, load_bytes, load_report
from catalog.model import to_plain

from .conftest import make_list, make_resource
from .strategies import lists

DATA = Path(__file__).parent / "data"
# Explaining a failure would take minutes here; the falsifying list is enough.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)


@settings(SLOW, max_examples=20)
@given(lists())
def test_yaml_and_stored_versions_read_back_as_the_same_list(list_):
    again = load_bytes(to_yaml(list_).encode(), ".yaml", "x.yaml")
    assert again == list_
    assert again.version == list_.version
    assert from_plain(to_plain(list_)) == list_
    assert from_plain(json.loads(json.dumps(to_plain(list_)))) == list_


@settings(SLOW, max_examples=15)
@given(lists())
def test_a_workbook_reads_back_as_the_same_list(list_):
    again = load_bytes(to_xlsx(list_), ".xlsx", "x.xlsx")
    assert again == list_
    assert again.version == list_.version


@settings(SLOW, max_examples=20)
@given(lists())
def test_csv_files_read_back_as_the_same_list(list_):
    again = load_bytes(to_csv_zip(list_), ".zip", "x.zip")
    assert again == list_
    assert again.version == list_.version


def test_all_files_have_the_version_of_the_list(sample, tmp_path):
    (tmp_path / "l.yaml").write_text(to_yaml(sample), encoding="utf-8")
    (tmp_path / "l.xlsx").write_bytes(to_xlsx(sample))
    (tmp_path / "l.zip").write_bytes(to_csv_zip(sample))
    for name in ("l.yaml", "l.xlsx", "l.zip"):
        assert load(tmp_path / name).version == sample.version
        assert load_report(tmp_path / name).faults == ()


@pytest.mark.parametrize("name", ["first-layout.yaml", "first-layout.xlsx"])
def test_a_list_of_the_first_layout_keeps_its_version(name):
    # Written by the first release. What the model has gained since does not rename what was published.
    found = load_report(DATA / name)
    assert found.faults == ()
    assert found.list_.version == "sha256:2b0e515ae7935657c16681717c5371aac768736c7b7243f87b9f04022fa2cb6d"


def test_other_readers_understand_the_yaml(sample):
    plain = yaml.safe_load(to_yaml(sample))
    assert plain["resources"][0]["fields"][0]["type"] == "string(18)"
    assert plain["resources"][0]["source"]["options"] == {"encoding": "gb18030"}
    assert plain["resources"][0]["share_type"] == "有条件共享"


def test_an_information_item_takes_one_line_and_defaults_are_left_out(sample):
    assert "      - {name: name, title: 名称, type: string}\n" in to_yaml(sample)


def test_a_workbook_has_the_offices_layout(sample):
    book = openpyxl.load_workbook(io.BytesIO(to_xlsx(sample)))
    assert book.sheetnames == ["封面", "部门", "资源", "信息项", "责任", "事项"]
    sheet = book["部门"]
    assert "A1:I1" in {str(merged) for merged in sheet.merged_cells.ranges}
    assert [cell.value for cell in sheet[2]][:2] == ["部门代码", "部门名称"]
    assert sheet["D3"].value == "11100000000013338W"


def test_text_that_looks_like_a_formula_is_written_as_text(sample):
    data = to_xlsx(make_list(city="=HYPERLINK(1)"))
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book["封面"]["B3"].data_type == "s"


def test_the_same_list_gives_the_same_bytes_at_any_time(sample, monkeypatch):
    first = to_xlsx(sample)
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(2_000_000_000))
    assert to_xlsx(sample) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {part.date_time[0] for part in archive.infolist()} == {1980}
        assert b"1980-01-01T00:00:00Z" in archive.read("docProps/core.xml")
    assert to_yaml(sample) == to_yaml(make_list())


def test_a_text_too_long_for_a_cell_is_refused_not_cut(sample):
    field = sample.resources[0].fields[0]
    codes = tuple(f"{number:08d}" for number in range(5000))
    fields = (type(field)("id", "代码", field.type, key=True, codes=codes),)
    list_ = make_list(resources=(make_resource(fields=fields),), responsibilities=())
    with pytest.raises(ListTooLongForExcelError, match="信息项!M3"):
        to_xlsx(list_)
    assert "导出 YAML" in ListTooLongForExcelError(where="x", length=1, limit=0).text("zh")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda p: p.pop("city"), "city"),
        (lambda p: p.update(colour="red"), "colour"),
        (lambda p: p.update(year="2020"), "year"),
        (lambda p: p["resources"][0].update(share_type="9"), "resources.0.share_type"),
        (lambda p: p["resources"][0]["fields"][1].update(type="text"), "resources.0.fields.1.type"),
        (lambda p: p["resources"][0]["source"].update(options=[["a"]]), "resources.0.source.options.0"),
        (lambda p: p.update(departments={}), "departments"),
        (lambda p: p["responsibilities"][0].update(deadline="2020-02-30"), "responsibilities.0.deadline"),
    ],
)
def test_a_stored_version_of_the_wrong_form_says_where(sample, change, path):
    plain = to_plain(sample)
    change(plain)
    with pytest.raises(ListUnreadableError) as caught:
        from_plain(plain)
    assert f"`{path}`" in caught.value.text("zh")


def test_a_stored_version_from_before_an_attribute_existed_takes_the_default(sample):
    plain = to_plain(sample)
    for resource in plain["resources"]:
        del resource["error_budget"]
    assert from_plain(plain) == sample


def test_a_hidden_matter_is_written_and_read_in_every_form_and_others_keep_their_digest():
    list_ = make_list()
    assert not {"hidden", "hidden_ground"} & to_plain(list_.matters[0]).keys()
    hidden = replace(list_.matters[0], hidden=True, hidden_ground="《某法》第七条")
    list_ = replace(list_, matters=(hidden, *list_.matters[1:]))
    for suffix, data in ((".yaml", to_yaml(list_).encode()), (".xlsx", to_xlsx(list_)), (".zip", to_csv_zip(list_))):
        assert load_bytes(data, suffix, f"l{suffix}").matters_by_code["M1"] == hidden
    assert from_plain(to_plain(list_)) == list_
