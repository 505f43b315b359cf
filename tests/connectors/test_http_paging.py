from __future__ import annotations

import gzip
import json
from datetime import UTC, timedelta
from urllib.parse import parse_qsl

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.cursor import CursorTime
from connectors.errors import (
    ConnectorSettingsError,
    SourceDeniedError,
    SourceHostileError,
    SourceIncompleteError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.http_json import HttpJsonConnector
from connectors.paging import next_link, within
from connectors.protocol import Column, ReadRequest
from connectors.retry import Waiting
from tests.contracts.connector_suite import landed

ROWS = [{"id": n, "at": f"2024-01-{n:02d}"} for n in range(1, 8)]
JSON = {"Content-Type": "application/json"}


class Api:
    """A service that pages in any of the ways, seven rows, three at a time at most."""

    def __init__(self, rows=ROWS, cap=3):
        self.rows, self.cap = rows, cap
        self.seen = []
        self.script = []
        self.slept = []
        self.now = 0.0

    def __call__(self, sent):
        self.seen.append(sent)
        if self.script:
            return self.script.pop(0)
        given = self.parameters(sent)
        at = int(given.get("offset", given.get("after", 0)))
        if "page" in given:
            at = (int(given["page"]) - 1) * self.cap
        part = self.rows[at : at + self.cap]
        after = at + len(part)
        more = after < len(self.rows)
        body = {"items": part, "total": len(self.rows), "next_cursor": str(after) if more else ""}
        link = {"Link": f'</api/rows?after={after}>; rel="next"'} if more else {}
        body["links"] = {"next": f"?after={after}" if more else None}
        return httpx.Response(200, json=body, headers=link)

    @staticmethod
    def parameters(sent):
        if sent.method == "GET":
            return dict(sent.url.params)
        if sent.headers["Content-Type"] == "application/json":
            return json.loads(sent.content)
        return dict(parse_qsl(sent.content.decode(), keep_blank_values=True))

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def connector(self, **more):
        return HttpJsonConnector(
            {"base_url": "https://dept.example/api", "token": "env:T", **more},
            {"env:T": "demo"}.__getitem__,
            waiting=Waiting(sleep=self.sleep),
            transport=httpx.MockTransport(self),
            clock=lambda: self.now,
        )

    def read(self, into, *, cursor=None, cursor_column="", window=None, progress=None, more=None, **options):
        columns = (Column("id"), Column("at"))
        request = ReadRequest("R", "rows", columns, cursor, cursor_column, options, window=window, progress=progress)
        return self.connector(**(more or {})).read(request, into)

    def fails(self, into, error, problem, **options):
        with pytest.raises(error) as caught:
            self.read(into, **options)
        assert caught.value.problem == problem
        assert caught.value.text("zh")
        assert not into.exists()
        return caught.value


def ids(batch):
    return [row[1] for row in landed(batch)]


ALL = [str(row["id"]) for row in ROWS]
WAYS = {
    "page": {},
    "offset": {"paging": "offset"},
    "cursor": {"paging": "cursor", "cursor_param": "after"},
    "link in a header": {"paging": "link"},
    "link in the body": {"paging": "link", "link_path": "links.next"},
    "none": {"paging": "none"},
}
IN_THE_BODY = [("post", "json"), ("post", "form")]


@pytest.mark.parametrize("way", WAYS)
def test_every_paging_brings_every_row_once(into, way):
    api = Api(cap=9 if way == "none" else 3)
    assert ids(api.read(into, **WAYS[way])) == ALL
    assert len(api.seen) == (1 if way == "none" else 3)


@pytest.mark.parametrize(("method", "body"), IN_THE_BODY)
@pytest.mark.parametrize("way", ["page", "offset", "cursor"])
def test_parameters_may_travel_in_the_body(into, way, method, body):
    api = Api()
    assert ids(api.read(into, method=method, body=body, query="dept=市监&flag=", **WAYS[way])) == ALL
    for sent in api.seen:
        assert (sent.method, sent.url.query) == ("POST", b"")
        assert (Api.parameters(sent)["dept"], Api.parameters(sent)["flag"]) == ("市监", "")
    if body == "json" and way == "page":
        assert json.loads(api.seen[1].content)["page"] == 2


def test_a_link_is_followed_as_it_is(into):
    api = Api()
    api.read(into, paging="link", query="a=1")
    assert [sent.url.query for sent in api.seen] == [b"a=1&page_size=500", b"after=3", b"after=6"]


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/api/rows",
        "http://dept.example/api/rows",
        "https://dept.example:8443/api/rows",
        "//elsewhere.example/x",
        "https://dept.example@elsewhere.example/x",
        "https://user:pw@dept.example/x",
        "https://dept.example\\@elsewhere.example/",
        "https://[::1/x",
        "javascript:1",
    ],
)
def test_a_link_leads_nowhere_else(into, link):
    api = Api()
    api.script = [httpx.Response(200, json={"items": ROWS[:3], "links": {"next": link}})]
    error = api.fails(into, SourceDeniedError, "link_elsewhere", paging="link", link_path="links.next")
    assert len(api.seen) == 1
    assert "elsewhere.example" not in str(error)


@pytest.mark.parametrize("way", ["cursor", "link in the body"])
@pytest.mark.parametrize("odd", [{"a": 1}, [1], True])
def test_a_token_that_is_none_is_an_error(into, way, odd):
    api = Api()
    body = {"items": ROWS[:3], "next_cursor": odd, "links": {"next": odd}}
    api.script = [httpx.Response(200, json=body)]
    api.fails(into, SourceShapeError, "token_not_text", **WAYS[way])


@pytest.mark.parametrize("way", ["page", "offset", "cursor", "link in the body"])
def test_an_api_that_goes_round_in_a_circle_is_caught(into, way):
    api = Api()
    body = {"items": ROWS[:2], "next_cursor": "again", "links": {"next": "?again=1"}}
    api.script = [httpx.Response(200, json=body) for _ in range(50)]
    error = api.fails(into, SourceShapeError, "page_repeated", **WAYS[way])
    assert (error.params["page"], error.params["earlier"], len(api.seen)) == (2, 1, 2)


@pytest.mark.parametrize("way", ["cursor", "link in the body"])
def test_an_api_of_empty_pages_without_end_is_caught(into, way):
    api = Api()
    body = {"items": [], "next_cursor": "again", "links": {"next": "?again=1"}}
    api.script = [httpx.Response(200, json=body) for _ in range(50)]
    api.fails(into, SourceShapeError, "too_many_pages", max_pages="7", **WAYS[way])
    assert len(api.seen) == 7


def test_an_empty_page_in_the_middle_of_a_cursor_ends_nothing(into):
    api = Api()
    api.script = [httpx.Response(200, json={"items": [], "next_cursor": "0"})]
    assert ids(api.read(into, **WAYS["cursor"])) == ALL


@pytest.mark.parametrize("way", WAYS)
def test_fewer_rows_than_announced_are_incomplete_in_every_paging(into, way):
    api = Api()
    api.script = [
        httpx.Response(200, json={"items": ROWS[:3], "total": 7}),
        httpx.Response(200, json={"items": [], "total": 7}),
    ]
    options = dict(WAYS[way])
    error = api.fails(into, SourceIncompleteError, "rows_missing", **options)
    assert (error.params["total"], error.params["found"]) == (7, 3)


def test_all_pages_together_are_bounded(into):
    api = Api()
    api.fails(into, SourceShapeError, "too_many_bytes", max_bytes="200")
    assert len(api.seen) == 2


def test_a_column_that_no_record_has_is_told(into):
    columns = (Column("id"), Column("note", required=False))
    batch = Api().connector().read(ReadRequest("R", "rows", columns, None), into)
    assert (batch.absent, batch.extra) == (("note",), ("at",))


def test_progress_is_told_page_by_page(into):
    seen = []
    Api().read(into, progress=lambda now: seen.append((now.rows, now.about)))
    assert seen == [(3, 7), (6, 7), (7, 7)]


def test_the_announced_total_is_the_sources_own_measure(into):
    assert Api().read(into).measures.rows == 7
    assert Api().read(into, measure="none").measures is None
    assert Api().read(into, cursor="2024-01-01", cursor_column="at").measures is None


# --- ranges ----------------------------------------------------------------------------------------------------------


def test_a_window_is_asked_for_and_taken_here_too(into):
    api = Api()
    batch = api.read(into, cursor="2024-01-06", cursor_column="at", window=("2024-01-03", "2024-01-05"))
    assert ids(batch) == ["3", "4", "5"]
    assert batch.cursor is None
    first = dict(api.seen[0].url.params)
    assert (first["updated_since"], first["updated_until"]) == ("2024-01-03", "2024-01-05")


def test_an_open_window_names_one_end(into):
    api = Api()
    assert ids(api.read(into, cursor_column="at", window=("", "2024-01-02"), until_param="")) == ["1", "2"]
    assert not {"updated_since", "updated_until"} & set(api.seen[0].url.params)


def test_a_lag_reads_again_what_was_before_the_cursor(into):
    api = Api()
    options = {"cursor_time": "iso", "lag": "1d"}
    batch = api.read(into, cursor="2024-01-06", cursor_column="at", **options)
    assert (ids(batch), batch.cursor) == (["5", "6", "7"], "2024-01-07")
    assert api.seen[0].url.params["updated_since"] == "2024-01-05"


def test_a_lag_never_moves_the_cursor_back(into):
    options = {"cursor_time": "iso", "lag": "10d"}
    batch = Api().read(into, cursor="2024-02-01", cursor_column="at", **options)
    assert batch.cursor == "2024-02-01"


@pytest.mark.parametrize("options", [{"lag": "1h"}, {"lag": "60", "cursor_time": "iso"}, {"lag": "soon"}, {"lag": "m"}])
def test_a_lag_must_fit_the_cursor(into, options):
    api = Api()
    with pytest.raises(ConnectorSettingsError):
        api.read(into, cursor="2024-02-01", cursor_column="at", **options)


def test_a_lag_of_numbers(into):
    api = Api()
    batch = api.read(into, cursor="7", cursor_column="id", cursor_order="integer", lag="2")
    assert (ids(batch), batch.cursor, api.seen[0].url.params["updated_since"]) == (["5", "6", "7"], "7", "5")


def test_rows_dated_ahead_do_not_carry_the_cursor_with_them(into):
    rows = [{"id": 1, "at": "2024-01-03 08:00:00"}, {"id": 2, "at": "2031-01-01 00:00:00"}]
    body = {"items": rows, "total": 2}
    # The source's clock was years ahead when it wrote the second row, and has gone back since.
    api = Api()
    api.script = [httpx.Response(200, json=body, headers={"Date": "Wed, 03 Jan 2024 01:00:00 GMT"})]
    batch = api.read(into, cursor="2024-01-01 00:00:00", cursor_column="at", cursor_time="iso")
    assert (ids(batch), batch.cursor) == (["1", "2"], "2024-01-03 09:00:00")


def test_a_service_whose_clock_went_back_behind_the_cursor_keeps_it(into):
    api = Api()
    body = {"items": [{"id": 1, "at": "2024-01-09"}], "total": 1}
    api.script = [httpx.Response(200, json=body, headers={"Date": "Mon, 01 Jan 2024 01:00:00 GMT"})]
    batch = api.read(into, cursor="2024-01-05", cursor_column="at", cursor_time="iso")
    assert batch.cursor == "2024-01-05"


@pytest.mark.parametrize(
    ("form", "text", "moment", "earlier"),
    [
        ("iso", "2024-05-08", "2024-05-07T16:00:00+00:00", "2024-05-07"),
        ("iso", "2024-05-08 12:30", "2024-05-08T04:30:00+00:00", "2024-05-08 11:30"),
        ("iso", "2024-05-08T12:30:01.5", "2024-05-08T04:30:01.500000+00:00", "2024-05-08T11:30:01.5"),
        ("iso", "2024-05-08T12:30:01.123456Z", "2024-05-08T12:30:01.123456+00:00", "2024-05-08T11:30:01.123456Z"),
        ("iso", "2024-05-08T00:30:00+0800", "2024-05-07T16:30:00+00:00", "2024-05-07T23:30:00+0800"),
        ("epoch_s", "1715140800", "2024-05-08T04:00:00+00:00", "1715137200"),
        ("epoch_ms", "1715140800123", "2024-05-08T04:00:00.123000+00:00", "1715137200123"),
    ],
)
def test_times_are_read_and_written_as_they_are(form, text, moment, earlier):
    time = CursorTime.of({"cursor_time": form}, "x")
    read = time.read(text)
    assert read.astimezone(UTC).isoformat() == moment
    assert time.write(read, text) == text
    assert time.write(read - timedelta(hours=1), text) == earlier


@pytest.mark.parametrize("text", ["", "soon", "2024-13-01", "20240508", "2024-05-08T25:00", "9" * 40])
def test_what_is_no_time_ends_nothing(text):
    for form in ("iso", "epoch_s"):
        if form == "epoch_s" and text == "20240508":
            continue
        assert CursorTime.of({"cursor_time": form}, "x").read(text) is None


# --- waiting ---------------------------------------------------------------------------------------------------------


def busy(after="2", status=429, date=None):
    headers = {"Retry-After": after} | ({"Date": date} if date else {})
    return httpx.Response(status, json={}, headers=headers)


def test_a_storm_of_429_ends(into):
    api = Api()
    api.script = [busy("20") for _ in range(500)]
    api.fails(into, SourceUnavailableError, "server_error")
    assert len(api.seen) == 5


def test_all_waiting_of_a_read_is_bounded(into):
    class Hard(Api):
        def __call__(self, sent):
            # Each page is refused once before it comes.
            last = self.seen[-1].url if self.seen else None
            if sent.url != last:
                self.seen.append(sent)
                return busy("30")
            return super().__call__(sent)

    api = Hard()
    error = api.fails(into, SourceUnavailableError, "throttled", more={"wait_s": "70"})
    assert (api.slept, error.params["retry_after_s"]) == ([30.0, 30.0], 30.0)


def test_a_retry_after_in_the_past_is_not_a_wait_backwards(into):
    api = Api()
    api.script = [busy("Wed, 21 Oct 2015 07:28:00 GMT", 503, "Wed, 21 Oct 2015 08:28:00 GMT")]
    assert ids(api.read(into)) == ALL
    assert api.slept == [0.375]


def test_requests_keep_the_rate(into):
    api = Api()
    api.read(into, more={"requests_per_s": "2", "burst": "1"})
    assert api.slept == [0.5, 0.5]


# --- bodies ----------------------------------------------------------------------------------------------------------


def test_a_gzip_bomb_is_refused(into, monkeypatch):
    monkeypatch.setattr("connectors.http_json.PAGE_BYTES", 100_000)
    bomb = gzip.compress(b'{"items":[' + b" " * 5_000_000)
    api = Api()
    api.script = [httpx.Response(200, stream=httpx.ByteStream(bomb), headers={**JSON, "Content-Encoding": "gzip"})]
    api.fails(into, SourceHostileError, "archive_bomb")


@pytest.mark.parametrize("coding", ["gzip, gzip", "zstd", "br", "compress"])
def test_a_coding_that_cannot_be_bounded_is_refused(into, coding):
    api = Api()
    api.script = [httpx.Response(200, stream=httpx.ByteStream(b"x"), headers={**JSON, "Content-Encoding": coding})]
    api.fails(into, SourceHostileError, "content_coding")


def test_a_packed_answer_is_unpacked(into):
    packed = gzip.compress(json.dumps({"items": ROWS, "total": 7}).encode())
    api = Api()
    api.script = [httpx.Response(200, stream=httpx.ByteStream(packed), headers={**JSON, "Content-Encoding": "gzip"})]
    assert ids(api.read(into)) == ALL
    assert api.seen[0].headers["Accept-Encoding"] == "gzip"


def test_half_a_gzip_is_incomplete_and_comes_again(into):
    packed = gzip.compress(json.dumps({"items": ROWS, "total": 7}).encode())[:-30]
    api = Api()
    api.script = [httpx.Response(200, stream=httpx.ByteStream(packed), headers={**JSON, "Content-Encoding": "gzip"})]
    api.fails(into, SourceIncompleteError, "page_truncated")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_javascripts_numbers_are_named(into, word):
    api = Api()
    api.script = [httpx.Response(200, content=f'{{"items":[{{"id":{word}}}]}}', headers=JSON)]
    error = api.fails(into, SourceShapeError, "json_not_number")
    assert (error.params["word"], len(api.seen)) == (word, 1)


@settings(max_examples=25, deadline=None)
@given(st.from_regex(r"-?(0|[1-9][0-9]{0,60})(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,9})?", fullmatch=True))
def test_a_number_of_any_size_lands_as_written(tmp_path_factory, number):
    api = Api()
    api.script = [httpx.Response(200, content=f'{{"items":[{{"id":{number},"at":1}}],"total":1}}', headers=JSON)]
    assert ids(api.read(tmp_path_factory.mktemp("n") / "b.parquet")) == [number]


@pytest.mark.parametrize("total", ['"7"', "7"])
def test_a_total_may_be_text(into, total):
    api = Api(cap=9)
    body = f'{{"items":{json.dumps(ROWS)},"total":{total}}}'
    api.script = [httpx.Response(200, content=body, headers=JSON)]
    assert (ids(api.read(into)), len(api.seen)) == (ALL, 1)


@pytest.mark.parametrize("total", ["-1", "7.0", "1e3", '"many"', "[]", "9" * 5000, '"²"'])
def test_a_total_that_is_no_count_is_passed_over(into, total):
    api = Api()
    body = f'{{"items":{json.dumps(ROWS)},"total":{total}}}'
    api.script = [httpx.Response(200, content=body, headers=JSON), httpx.Response(200, json={"items": []})]
    assert ids(api.read(into)) == ALL


# --- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ('<https://a.example/?p=2>; rel="next"', "https://a.example/?p=2"),
        ("</x>; rel=next", "/x"),
        ('</p>; rel="prev", </n>; rel="next"', "/n"),
        ('</n>; title="a, b; <c>"; rel="last NEXT"', "/n"),
        ('</a>; rel="prev"; rel="next", </b>; rel=next', "/b"),
        ('</a>; rel=next; anchor="#x", </b>; rel=next', "/b"),
        (r'</a>; title="say \"next\""; rel="prev"', None),
        ("</a>; rel", None),
        ("", None),
        ("next", None),
        ("<a", None),
    ],
)
def test_the_next_link_of_a_header(header, link):
    assert next_link(header) == link


@settings(max_examples=25, deadline=None)
@given(st.text('<>;,="\\ relnxt/a', max_size=60))
def test_any_header_is_read_without_falling_over(header):
    next_link(header)


def test_a_relative_link_is_taken_against_the_last_address():
    assert within("https://a.example/api/rows", "https://a.example/api/rows?x=1", "?x=2#f") == (
        "https://a.example/api/rows?x=2"
    )
    assert within("https://a.example/api", "https://A.example:443/api", "https://a.EXAMPLE/b") == "https://a.EXAMPLE/b"


@pytest.mark.parametrize(
    "options", [{"paging": "pages"}, {"method": "put"}, {"method": "post", "body": "xml"}, {"page_size": "0"}]
)
def test_an_option_that_cannot_be_meant_is_refused(into, options):
    with pytest.raises(ConnectorSettingsError):
        Api().read(into, **options)
