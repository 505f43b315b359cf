"""The public page of verification: what is genuine, altered, hostile or junk, and that nothing of it is kept."""

from __future__ import annotations

import io
import json
import re
import select
import socket
import struct
import zipfile
import zlib
from datetime import timedelta
from pathlib import Path
from time import monotonic
from types import SimpleNamespace

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

import segno
from PIL import Image

from hub.authority.keeping import sm2_signs
from hub.evidence import utc_now
from hub.licensing.downloads import Order
from hub.licensing.judging import judged
from hub.licensing.papers import Form
from hub.portal import pictures
from hub.portal.rooms import verify as room
from hub.portal.verdicts import plainly
from licence.lifecycle import Action
from licence.verifying.report import told
from tests.hub.licensing import papers_city as c
from tests.hub.portal.browsing import SAME, text_of
from tests.hub.world import IDS

CORPUS = Path(__file__).parents[3] / "bench" / "fuzz_corpus"
JUNK = {
    "nothing": b"",
    "words": b"hello, world",
    "zip": b"PK\x03\x04" + b"\xff" * 200,
    "pdf": b"%PDF-1.7\n" + b"\0" * 200,
    "der": b"0\x82\xff\xff" + b"\0" * 50,
    "executable": b"MZ\x90\0" + b"\0" * 400,
    "deep": b"[" * 100_000,
    "script": b'{"credential": "<script>alert(1)</script>"}',
}


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """Files of a city that issues licences: by name, as their holders got them; one licence was revoked since."""
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    settings = c.found(tmp_path_factory.mktemp("verify") / "var")
    office = c.open_office(settings)
    held = c.licences(office)
    order = Order(c.OTHER_MATTER, "核对<b>救助</b>申请", 30)

    def copy(place, form):
        return office.downloads.download(held[place], form, order, by=c.CONSUMER)

    files = {
        "pdf": copy(0, Form.PDF).data,
        "ofd": copy(0, Form.OFD).data,
        "qr": copy(0, Form.QR).data,
        "bundle": office.licensing.bundle(held[0]).to_json().encode(),
        "revoked": office.licensing.bundle(held[3]).to_json().encode(),
    }
    withdrawn = copy(0, Form.PDF)
    office.downloads.withdraw(withdrawn.copy, by=c.CONSUMER, reason="办结")
    files["withdrawn"] = withdrawn.data
    # The list that says so is of an hour later: what holds at the time of signing is then another question.
    office.licensing.evidence.clock = office.licensing.clock = lambda: utc_now() + timedelta(hours=1)
    words = {"reason": "违法取得", "ground": "《行政许可法》第六十九条", "officer": "chief"}
    office.licensing.change(held[3], Action.REVOKE, by="RS", **words)
    c.close(office.licensing)
    return SimpleNamespace(settings=settings, files=files, valid=held[0], revoked=held[3])


@pytest.fixture(scope="module")
def world(city):
    return SimpleNamespace(settings=city.settings, clock=lambda: utc_now() + timedelta(hours=2))


@pytest.fixture(autouse=True)
def unlimited(app):
    """Each test begins as a stranger who has not asked yet."""
    app.state.verify_rates = None


def ask(browser, data=None, name="a.bin", **fields):
    files = None if data is None else {"file": (name, data)}
    return browser.send("/verify", files=files, **fields)


def verdict(answer):
    assert answer.status_code == 200, text_of(answer.text)[:400]
    return re.search(r'zt-light--(\w+)">([^<]+)<', answer.text).groups()


def test_a_stranger_is_asked_for_a_file(browser):
    page = browser.read("/verify")
    assert "不会保存" in page
    assert "24 MB" in page
    english = browser.read("/verify", **{"accept-language": "en"})
    assert "It is not kept" in english


@pytest.mark.parametrize("name", ["pdf", "ofd", "bundle", "qr"])
def test_what_is_genuine_is_valid_and_says_what_it_is(name, browser, city):
    answer = ask(browser, city.files[name], f"{name}.file")
    assert verdict(answer) == ("good", "有效")
    assert "该证照" in answer.text or "证照" in answer.text
    assert "张三" in answer.text or name == "pdf"
    assert "<b>救助" not in answer.text
    assert f"zhengtong verify {name}.file --trust trust" in answer.text
    assert "未保存" in answer.text


def test_the_page_is_complete_in_english(browser, city):
    browser.client.headers["accept-language"] = "en"
    answer = ask(browser, city.files["bundle"], "a.json")
    assert verdict(answer) == ("good", "Valid")
    # What is Chinese is the city's, the licence's and the holder's own words.
    steps = text_of(answer.text.split("What the file says")[0])
    assert set(re.findall(r"[\u3400-\u9fff]+", steps)) <= {"中文", "示例市", "人力资源和社会保障局", "公安局", "演示"}


@pytest.mark.parametrize("name", ["pdf", "ofd", "qr"])
def test_what_was_altered_is_never_valid_and_shows_nothing_of_itself(name, browser, city):
    data = city.files[name]
    for place in (len(data) // 3, len(data) // 2, 2 * len(data) // 3):
        other = data[:place] + bytes([data[place] ^ 1 if data[place] ^ 1 not in b"\r\n" else 65]) + data[place + 1 :]
        answer = ask(browser, other)
        assert verdict(answer)[0] in {"bad", "warn"}
        assert "张三" not in answer.text


def test_a_tampered_face_is_caught(browser, city):
    bundle = json.loads(city.files["bundle"])
    genuine = bundle["credential"]
    for part in range(1, genuine.count("~")):
        parts = genuine.split("~")
        parts[part] = parts[part][:-4] + "AAAA"
        answer = ask(browser, json.dumps({**bundle, "credential": "~".join(parts)}).encode())
        assert verdict(answer) == ("bad", "无效")
        assert "张三" not in answer.text


@pytest.mark.parametrize("name", sorted(JUNK))
def test_junk_is_a_verdict_and_not_a_fault(name, browser):
    answer = ask(browser, JUNK[name], f"{name}.pdf")
    assert verdict(answer)[0] in {"bad", "warn"}
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("path", sorted(p for p in CORPUS.glob("*/*") if p.suffix != ".xz"), ids=lambda p: p.name)
def test_files_of_strangers_are_not_valid_here(path, browser):
    assert verdict(ask(browser, path.read_bytes(), path.name))[0] in {"bad", "warn"}


def test_what_is_too_large_is_refused_unread(browser):
    answer = ask(browser, b"\0" * (room.MAX_FILE_BYTES + 1))
    assert answer.status_code in {413, 422}
    assert "24 MB" in answer.text


def test_names_of_files_are_quoted(browser, city):
    answer = ask(browser, city.files["bundle"], "../a b';<img src=x>.json")
    assert "<img" not in answer.text
    assert verdict(answer)[0] == "good"
    dash = ask(browser, city.files["bundle"], "--trust")
    assert "zhengtong verify code.txt" in dash.text


def test_a_revoked_licence_was_good_when_it_was_signed(browser, city):
    now = ask(browser, city.files["revoked"])
    assert verdict(now) == ("bad", "无效")
    assert "张" not in text_of(now.text.split("逐步结果")[0])
    then = ask(browser, city.files["revoked"], when="signing")
    assert verdict(then) == ("good", "有效"), text_of(then.text)
    assert "--at signing --history past" in then.text
    today = ask(browser, city.files["revoked"], when="day", day=f"{utc_now() + timedelta(days=2):%Y-%m-%d}")
    assert verdict(today)[0] == "bad"


def test_a_day_before_the_first_list_cannot_be_decided_or_is_too_early(browser, city):
    answer = ask(browser, city.files["bundle"], when="day", day="2020-01-01")
    assert verdict(answer)[0] != "good"
    assert "2020-01-01T23:59:59+08:00" in answer.text


@pytest.mark.parametrize("day", ["", "tomorrow", "2026-13-01", "0001-01-01"])
def test_a_day_that_is_none_is_said(day, browser, city):
    answer = ask(browser, city.files["qr"], when="day", day=day)
    assert answer.status_code == 422 or verdict(answer)[0] != "good"


def test_a_copy_that_was_withdrawn_is_not_valid_however_well_it_is_signed(browser, city):
    answer = ask(browser, city.files["withdrawn"])
    assert verdict(answer) == ("bad", "无效")
    assert "收回" in answer.text


def test_a_number_tells_the_state_and_nothing_else(browser, city):
    valid, revoked, unknown = (ask(browser, text=text) for text in (city.valid, city.revoked, city.valid[:-1] + "?"))
    assert verdict(valid) == ("good", "有效")
    assert verdict(revoked) == ("bad", "无效")
    assert "已撤销" in revoked.text
    for answer in (valid, revoked):
        assert not any(word in answer.text for word in ("张三", "李四", "违法取得", "居住证", *IDS))
    unknown = ask(browser, text="1.2.156.3005.2.NONE")
    assert verdict(unknown) == ("warn", "无法判定")
    # As the API says it, in quotation marks.
    assert "没有证照 “1.2.156.3005.2.NONE”。请核对证照标识。" in unknown.text
    personal = ask(browser, text=IDS[0])
    assert IDS[0] not in personal.text


def test_nobody_goes_through_the_numbers(browser, city):
    for _ in range(room.NUMBERS_AT_ONCE):
        assert ask(browser, text=city.valid).status_code == 200
    assert ask(browser, text=city.valid).status_code == 429


def test_the_text_of_a_code_can_be_pasted(browser, city):
    answer = ask(browser, text=city.files["qr"].decode())
    assert verdict(answer) == ("good", "有效")
    assert "粘贴的文本" in answer.text


def test_nothing_sent_is_said(browser):
    answer = ask(browser)
    assert answer.status_code == 422
    assert "请选择文件或粘贴内容" in answer.text


def handed(answer):
    return {name: re.search(rf'name="{name}" value="([^"]*)"', answer.text)[1] for name in ("report", "mark")}


def test_the_report_comes_as_json_and_pdf_and_no_other_is_printed(browser, city):
    kept = handed(ask(browser, city.files["bundle"]))
    as_json = browser.send("/verify/report", **kept, **{"as": "json"})
    assert as_json.json()["verdict"] == "TOTAL-PASSED"
    assert "attachment" in as_json.headers["content-disposition"]
    as_pdf = browser.send("/verify/report", **kept, **{"as": "pdf"})
    assert as_pdf.content.startswith(b"%PDF-")
    assert browser.send("/verify/report", report=kept["report"], mark="0" * 64).status_code == 422
    assert browser.send("/verify/report", report="e30=", mark=kept["mark"]).status_code == 422


def test_without_fonts_there_is_no_pdf_and_none_is_offered(browser, city, monkeypatch):
    monkeypatch.setattr(room, "can_print", lambda: False)
    answer = ask(browser, city.files["bundle"])
    assert "PDF）" not in answer.text
    assert browser.send("/verify/report", **handed(answer), **{"as": "pdf"}).json()["verdict"] == "TOTAL-PASSED"


@pytest.mark.parametrize("name", ["pdf", "ofd", "bundle", "qr", "revoked"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_steps_are_told_in_the_words_of_the_report(name, lang, city, service):
    found = judged(service, city.files[name], service.evidence.clock())
    lines = found.report.text(lang).splitlines()
    steps = [step for part in told(found.report, lang) for step in part.steps]
    assert len(steps) == len(found.report.steps) > 0
    assert all(f" {one.number}. {one.name} — {one.outcome_name} — {one.text}" in lines for one in steps)


def test_sentences_have_the_clocks_of_the_city_and_an_instant_that_is_none_stays():
    said = "自 2026-11-23T16:30:00Z 起，`甲` 于 2026-99-01T00:00:00Z 或 9999-12-31T23:59:59Z"
    assert plainly(said) == "自 2026-11-24 00:30:00 起，“甲” 于 2026-99-01T00:00:00Z 或 9999-12-31T23:59:59Z"


def test_nothing_of_the_file_is_kept(browser, city, service):
    before = service.evidence.log.size, {p for p in city.settings.home.rglob("*") if p.is_file()}
    ask(browser, city.files["pdf"])
    ask(browser, JUNK["words"])
    ask(browser, text=city.valid)
    after = {p for p in city.settings.home.rglob("*") if p.is_file()}
    assert service.evidence.log.size == before[0]
    assert {p.name for p in after - before[1]} <= {"portal-reports.key", "control.sqlite-wal", "control.sqlite-shm"} | {
        p.name for p in after - before[1] if p.parent.name == "keys"
    }


# --- several files, pictures, and what is sent to do harm -----------------------------------------------------------


def qr_picture(text, **how):
    made = io.BytesIO()
    segno.make(text, micro=False).save(made, kind="png", **{"scale": 4, **how})
    return made.getvalue()


def as_jpeg(png):
    made = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").rotate(7, expand=True, fillcolor="white").save(made, "JPEG", quality=60)
    return made.getvalue()


def send_all(browser, *files, **fields):
    return browser.client.post(
        "/verify", data={"token": "", **fields}, files=[("file", one) for one in files], headers=SAME
    )


def verdicts(answer):
    assert answer.status_code == 200, text_of(answer.text)[:400]
    table = answer.text.split("<tbody", 1)[1].split("</tbody>", 1)[0]
    return re.findall(r'zt-light--(\w+)">', table)


@pytest.mark.parametrize("made", [lambda png: png, as_jpeg], ids=["png", "crooked jpeg"])
def test_a_picture_of_a_code_is_judged_as_its_text_is(made, browser, city):
    answer = ask(browser, made(qr_picture(city.files["qr"].decode())), "photo.pdf")
    assert verdict(answer) == ("good", "有效")
    assert "图片“photo.pdf”中的二维码" in text_of(answer.text)
    assert "zhengtong verify code.txt" in answer.text


def test_a_code_on_a_transparent_ground_is_read(browser, city):
    answer = ask(browser, qr_picture(city.files["qr"].decode(), light=None), "a.png")
    assert verdict(answer) == ("good", "有效")


def test_a_picture_of_a_number_tells_its_state(browser, city):
    assert "此结果仅说明该标识的状态" in ask(browser, qr_picture(city.valid), "a.png").text


def test_a_picture_without_a_code_says_what_to_do(browser):
    made = io.BytesIO()
    Image.new("RGB", (200, 200), "white").save(made, "PNG")
    answer = ask(browser, made.getvalue(), "white.png")
    assert answer.status_code == 422
    assert "未找到二维码" in answer.text
    english = ask(browser, made.getvalue()[:60], "cut.png")
    assert english.status_code == 422
    assert "PNG" in english.text


def test_a_picture_that_says_it_is_huge_is_not_unpacked(browser):
    # A header of 60,000 × 60,000 pixels, and a few bytes behind it.
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    begin = monotonic()
    answer = ask(browser, bomb, "bomb.png")
    assert answer.status_code == 422
    assert "4000 万像素" in answer.text
    assert monotonic() - begin < 5


def test_the_reader_of_pictures_sees_nothing_of_ours(monkeypatch):
    monkeypatch.setenv("ZHENGTONG_SECRET", "x")
    seen = {}

    def run(command, **how):
        seen.update(how, command=command)
        return SimpleNamespace(returncode=0, stdout=b'["a"]')

    monkeypatch.setattr(pictures.subprocess, "run", run)
    assert pictures.texts_in(b"") == ["a"]
    assert seen["env"] == {}
    assert "-I" in seen["command"]


def test_several_files_are_judged_each_by_itself_and_told_in_one_table(browser, city):
    picture = qr_picture(city.files["qr"].decode())
    files = [
        ("a.json", city.files["bundle"]),
        ("b.json", city.files["revoked"]),
        ("c.png", picture),
        ("d", JUNK["zip"]),
    ]
    answer = send_all(browser, *files)
    assert verdicts(answer)[:3] == ["good", "bad", "good"]
    assert verdicts(answer)[3] != "good"
    for number, (name, _) in enumerate(files, 1):
        assert f'href="#file-{number}">{number}. {name}' in answer.text
        assert f'id="file-{number}"' in answer.text
    report = browser.send("/verify/report", **handed(answer), **{"as": "json"}).json()
    assert [one["file"] for one in report["files"]] == [name for name, _ in files]
    assert [one["verdict"] for one in report["files"][:3]] == ["TOTAL-PASSED", "TOTAL-FAILED", "TOTAL-PASSED"]
    # There is one JSON and no paper of several.
    assert browser.send("/verify/report", **handed(answer), **{"as": "pdf"}).json() == report


def test_one_of_several_that_cannot_be_judged_hinders_no_other(browser, city):
    cut = qr_picture("x")[:60]
    answer = send_all(browser, ("cut.png", cut), ("a.json", city.files["bundle"]))
    assert verdicts(answer) == ["warn", "good"]
    then = send_all(browser, ("junk", JUNK["words"]), ("b.json", city.files["revoked"]), when="signing")
    assert verdicts(then)[1] == "good"
    too_many = send_all(browser, *[(f"{n}", b"x") for n in range(room.MAX_BATCH + 1)])
    assert too_many.status_code == 422
    assert f"一次最多 {room.MAX_BATCH} 个" in too_many.text


def test_several_files_count_each_against_what_an_address_may_ask(browser):
    for _ in range(room.FILES_AT_ONCE // room.MAX_BATCH):
        assert send_all(browser, *[(f"{n}", b"x") for n in range(room.MAX_BATCH)]).status_code == 200
    assert send_all(browser, ("a", b"x"), ("b", b"x")).status_code == 429


def test_a_small_archive_of_enormous_content_is_a_verdict_soon(browser):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in ("OFD.xml", "Doc_0/Document.xml"):
            bomb.writestr(name, bytes(150 * 1024 * 1024))
    assert len(made.getvalue()) < 1024 * 1024
    begin = monotonic()
    assert verdict(ask(browser, made.getvalue(), "licence.ofd"))[0] in {"bad", "warn"}
    assert monotonic() - begin < 10


def test_a_program_under_another_name_is_told_to_be_no_licence(browser):
    answer = ask(browser, JUNK["executable"], "licence.pdf")
    assert verdict(answer)[0] in {"bad", "warn"}
    assert "不" in text_of(answer.text.split("zt-verdict", 1)[1].split("</div>", 1)[0])
    assert "签署者未获确认或核验未通过" in answer.text


def test_a_body_of_a_gigabyte_is_refused_early(browser, city):
    url = browser.client.base_url
    head = (
        f"POST /verify HTTP/1.1\r\nhost: {url.host}:{url.port}\r\nsec-fetch-site: same-origin\r\n"
        "content-type: multipart/form-data; boundary=B\r\ncontent-length: 1073741824\r\n\r\n"
        '--B\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    before = {path for path in city.settings.home.rglob("*") if path.is_file()}
    sent, piece = 0, b"\0" * 65_536
    with socket.create_connection((url.host, url.port), timeout=30) as line:
        line.sendall(head.encode())
        while sent < 1 << 30 and not select.select([line], [], [], 0)[0]:
            try:
                sent += line.send(piece)
            except ConnectionError:
                break
        answer = line.recv(65_536)
    assert b" 413 " in answer.split(b"\r\n", 1)[0]
    assert sent < 4 * room.MAX_FILE_BYTES
    # The key of reports may have been made; of what was sent there is nothing.
    after = {path for path in city.settings.home.rglob("*") if path.is_file()} - before
    assert all(path.stat().st_size < 100_000 for path in after if not path.name.startswith("control."))


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+cmd|' /C calc'!A0", "@SUM(A1)", "-1+1"])
def test_a_name_that_is_a_formula_is_harmless_in_reports(name, browser, city):
    kept = handed(ask(browser, city.files["bundle"], name))
    for form in ("json", "pdf"):
        file = browser.send("/verify/report", **kept, **{"as": form})
        # Neither form is opened as a table, and the file has a name of ours.
        assert file.content[:1] in b"{%", text_of(file.text)[:600]
        assert "verification." in file.headers["content-disposition"]
    several = send_all(browser, (name, city.files["bundle"]), (name, b"x"))
    whole = browser.send("/verify/report", **handed(several), **{"as": "json"})
    assert whole.content.startswith(b"{")
    assert whole.json()["files"][0]["file"] == name


def test_the_camera_is_offered_by_script_alone(browser):
    page = browser.see("/verify").text
    assert re.search(r'data-scans-into="text"[^>]* hidden>', page)
    assert "<script>" not in page
