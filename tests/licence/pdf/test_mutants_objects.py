"""PDF objects: each with one meaning, where it ends, and what is refused, at every limit."""

from __future__ import annotations

import pytest

from licence.errors import FormatError
from licence.pdf import objects
from licence.pdf.objects import LengthOf, Name, Ref, Stream, Text, parse, parse_indirect, skip_space

SPACES = b"\0\t\n\f\r "
DELIMITERS = b"()<>[]{}/%"


def value(text, start=0, limit_bytes=10_000):
    """The object, which must end where *text* does."""
    found, end = parse(text, start, limit_bytes)
    assert end == len(text)
    return found


def refused(text, start=0, limit_bytes=10_000):
    with pytest.raises(FormatError) as caught:
        parse(text, start, limit_bytes)
    assert (caught.value.code, caught.value.sub_indication) == ("pdf_invalid", "FORMAT_FAILURE")
    return caught.value.finding_params["detail"]


class TestWhiteSpace:
    @pytest.mark.parametrize("text", [SPACES, b"%comment\n", b"% a\r \0%b\n\n", b"", b"%\n", b"%%\f%\r"])
    def test_and_comments_are_passed_over(self, text):
        assert skip_space(text + b"(x)", 0) == len(text)
        assert skip_space(b"ab" + text, 2) == 2 + len(text)

    def test_a_comment_goes_to_the_end_of_its_line(self):
        assert skip_space(b"%(x)", 0) == 4

    def test_ends_at_anything_else(self):
        for byte in set(range(256)) - set(SPACES) - {ord("%")}:
            assert skip_space(bytes([byte]), 0) == 0


class TestScalars:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            (b"0", 0),
            (b"-17", -17),
            (b"+5", 5),
            (b"1.", 1.0),
            (b"-.5", -0.5),
            (b"00012", 12),
            (b"1.25", 1.25),
            (b"true", True),
            (b"false", False),
            (b"null", None),
            (b"  %x\n 7", 7),
            (b"/A", Name("A")),
            (b"/", Name("")),
            (b"/A#20B#c3", Name("A B\xc3")),
            (b"/A#2", Name("A#2")),
            (b"/A#zz", Name("A#zz")),
            (b"/\xe9", Name("\xe9")),
            (b"3 0 R", Ref(3, 0)),
            (b"12\r\n65535\0R", Ref(12, 65535)),
        ],
    )
    def test_mean_this(self, text, found):
        got = value(text)
        assert (got, type(got)) == (found, type(found))

    @pytest.mark.parametrize(
        "text",
        [b"x", b"", b"tru", b"truex", b"nullx", b"1x", b"--1", b"+", b".", b"1.2.3", b"1e5", b"R", b">", b"]", b"}"],
    )
    def test_what_is_none_is_refused(self, text):
        assert refused(text) == "object"

    @pytest.mark.parametrize("word", [b"true", b"12", b"1.5", b"3 0 R"])
    def test_end_at_white_space_and_delimiters_alone(self, word):
        for byte in range(256):
            text = word + bytes([byte])
            if bytes([byte]) in SPACES + DELIMITERS:
                assert parse(text, 0, 99)[1] == len(word)
            elif word == b"3 0 R":
                # A number then, and no reference.
                assert parse(text, 0, 99) == (3, 1)
            elif not (word[:1] == b"1" and bytes([byte]) in b"0123456789."):
                assert refused(text) == "object"

    def test_two_numbers_are_no_reference(self):
        assert parse(b"3 0", 0, 99) == (3, 1)
        assert refused(b"30R") == "object"
        assert parse(b"3 123456 R", 0, 99) == (3, 1)
        assert parse(b"12345678901 0 R", 0, 99) == (12345678901, 11)
        assert value(b"1234567890 12345 R") == Ref(1234567890, 12345)
        assert parse(b"-3 0 R", 0, 99) == (-3, 2)

    def test_a_number_has_eighteen_characters_at_most(self):
        assert value(b"1" * 18) == int("1" * 18)
        assert refused(b"1" * 19) == "number"
        assert refused(b"-" + b"1" * 18) == "number"

    def test_a_name_has_512_bytes_at_most(self):
        assert value(b"/" + b"A" * 512) == "A" * 512
        assert refused(b"/" + b"A" * 513) == "name"

    def test_begin_where_asked(self):
        assert objects.WHAT == "PDF"
        assert parse(b"1 2 (a)", 2, 99) == (2, 3)


class TestStrings:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            (b"<>", b""),
            (b"<414>", b"A@"),
            (b"<4 1\n4\t2>", b"AB"),
            (b"<fF>", b"\xff"),
            (b"()", b""),
            (b"(a(b)c)", b"a(b)c"),
            (b"(\\(\\)\\\\)", b"()\\"),
            (b"(\\n\\r\\t\\b\\f\\x)", b"\n\r\t\b\fx"),
            (b"(\\1014\\0\\53\\400)", b"A4\0+\0"),
            (b"(\\18)", b"\x018"),
            (b"(\\777)", b"\xff"),
            (b"(a\rb\r\nc\nd)", b"a\nb\nc\nd"),
            (b"(a\\\rb\\\r\nc\\\nd)", b"abcd"),
            (b"(a\r\rb)", b"a\n\nb"),
            (b"(a\\\r\rb)", b"a\nb"),
            (b"(%no comment)", b"%no comment"),
            (b"(\xe9\0)", b"\xe9\0"),
        ],
    )
    def test_mean_this(self, text, found):
        assert value(text) == Text(found, 0, len(text))
        spaced = value(b" " + text)
        assert (spaced.value, spaced.start, spaced.end) == (found, 1, 1 + len(text))

    @pytest.mark.parametrize("text", [b"(", b"(a", b"((a)", b"(\\)", b"(a\r", b"<4", b"<4g>", b"<41", b"<\\>"])
    def test_without_an_end_are_refused(self, text):
        assert refused(text) == "string"

    def test_are_the_same_by_what_they_say(self):
        first, again, other = Text(b"a", 0, 3), Text(b"a", 9, 12), Text(b"b", 0, 3)
        assert first == again
        assert hash(first) == hash(again)
        assert first != other
        assert first != b"a"
        assert len({first, again, other}) == 2

    def test_end_within_the_limit(self):
        text = b"(" + b"a(b)" * 5 + b")"
        # The last bracket may stand one past the limit, and nothing may begin behind it.
        assert value(text, 0, len(text) - 1) == value(text)
        assert refused(b"(" + b"\\n" * 50 + b")", 0, 20) == "string"
        assert refused(b"(" + b"(" * 50 + b")" * 51, 0, 20) == "string"


class TestCompounds:
    def test_mean_this(self):
        assert value(b"[]") == []
        assert value(b"[1/A(b)<41>[2]3 0 R null]") == [
            1,
            "A",
            Text(b"b", 0, 0),
            Text(b"A", 0, 0),
            [2],
            Ref(3, 0),
            None,
        ]
        assert value(b"<<>>") == {}
        assert value(b"<</A 1/B<</C[2]>>/#44 null >>") == {"A": 1, "B": {"C": [2]}, "D": None}
        assert value(b"<< %c\n/A %c\n1 %c\n>>") == {"A": 1}
        assert value(b"[%c\n1 ]") == [1]

    @pytest.mark.parametrize(
        ("text", "detail"),
        [
            (b"[", "object"),
            (b"[1", "object"),
            (b"[1>", "object"),
            (b"<<", "dictionary"),
            (b"<</A", "object"),
            (b"<</A 1", "dictionary"),
            (b"<</A 1>", "dictionary"),
            (b"<<(A) 1>>", "dictionary"),
            (b"<</A>>", "object"),
            (b"<<1 1>>", "dictionary"),
            (b"<</A 1]]", "dictionary"),
        ],
    )
    def test_that_are_broken_are_refused(self, text, detail):
        assert refused(text) == detail

    @pytest.mark.parametrize(
        ("text", "key"), [(b"<</A 1/#41 1>>", "A"), (b"<</%s 1/%s 1>>" % (b"k" * 50, b"k" * 50), "k" * 40)]
    )
    def test_a_key_twice_is_refused_by_its_name(self, text, key):
        with pytest.raises(FormatError) as caught:
            value(text)
        assert (caught.value.code, caught.value.finding_params) == ("pdf_duplicate_key", {"key": key})

    def test_a_key_that_cannot_be_shown_is_not(self):
        with pytest.raises(FormatError) as caught:
            value(b"<</A#0a 1/A#0a 1>>")
        assert caught.value.finding_params == {"key": "?"}

    def test_are_nested_48_deep_at_most(self):
        assert value(b"[" * 48 + b"]" * 48) is not None
        assert refused(b"[" * 48 + b"1" + b"]" * 48) == "nesting"
        assert value(b"[" * 47 + b"1" + b"]" * 47) is not None
        assert value(b"<</A " * 47 + b"1" + b">>" * 47) is not None
        assert refused(b"<</A " * 48 + b"1" + b">>" * 48) == "nesting"

    def test_have_no_more_members_than_allowed(self, monkeypatch):
        assert objects.MAX_MEMBERS == len(value(b"[" + b"1 " * 200_000 + b"]", 0, 10**6)) == 200_000
        monkeypatch.setattr(objects, "MAX_MEMBERS", 3)
        keys = [b"/%d 1" % n for n in range(4)]
        for kind, opened, closed in (("array", b"[", b"]"), ("dictionary", b"<<", b">>")):
            assert len(value(opened + b" ".join(keys[:3] if kind == "dictionary" else [b"1"] * 3) + closed)) == 3
            assert refused(opened + b" ".join(keys if kind == "dictionary" else [b"1"] * 4) + closed) == kind

    def test_begin_nothing_behind_the_limit(self):
        for text, last in ((b"[1 2 3]", 5), (b"<</A 1/B 2>>", 9), (b" 7", 1)):
            assert value(text, 0, last) is not None
            assert refused(text, 0, last - 1) == "nesting"
        assert value(b"xx[1 2 3]", 2, 5) == [1, 2, 3]
        assert refused(b"xx[1 2 3]", 2, 4) == "nesting"


class TestIndirect:
    def of(self, text, *, number=3, generation=1, start=0, limit_bytes=10_000, length_of=None):
        found, end = parse_indirect(
            text, start, number, generation, length_of=length_of or LengthOf(), limit_bytes=limit_bytes
        )
        return found, end

    def refused(self, text, **named):
        with pytest.raises(FormatError) as caught:
            self.of(text, **named)
        assert caught.value.code == "pdf_invalid"
        return caught.value.finding_params["detail"]

    @pytest.mark.parametrize(
        "text",
        [b"3 1 obj 7 endobj", b"3 1 obj\n7\nendobj", b"3\r\n1\0obj[7]endobj", b"03 01 obj%c\n7%c\n endobj"],
    )
    def test_is_the_one_asked_for_and_ends_with_its_word(self, text):
        found, end = self.of(text)
        assert found in (7, [7])
        assert end == len(text)
        assert self.of(b"xy" + text + b" z", start=2)[1] == 2 + len(text)

    @pytest.mark.parametrize(
        "text",
        [
            b"4 1 obj 7 endobj",
            b"3 0 obj 7 endobj",
            b"31 obj 7 endobj",
            b" 3 1 obj 7 endobj",
            b"3 1 ob 7 endobj",
            b"3 1 obj 7 endob",
            b"3 1 obj 7 endobjx",
            b"3 1 obj 7",
            b"3 1 obj 7 8 endobj",
            b"",
        ],
    )
    def test_of_another_number_or_without_its_words_is_refused(self, text):
        assert self.refused(text) == "object"

    def test_is_bounded_behind_its_head(self):
        text = b"3 1 obj[1 2]endobj"
        assert self.of(text, limit_bytes=3)[0] == [1, 2]
        assert self.refused(text, limit_bytes=2) == "nesting"

    @pytest.mark.parametrize("line", [b"\n", b"\r\n"])
    @pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r"])
    def test_a_stream_has_the_length_it_says(self, line, end):
        text = b"3 1 obj<</Length 4>> stream" + line + b"ab\ncendstream"[:4] + end + b"endstream %c\n endobj"
        found, at = self.of(text)
        assert isinstance(found, Stream)
        assert (found.entries, bytes(found.data), at) == ({"Length": 4}, b"ab\nc", len(text))

    @pytest.mark.parametrize(
        "text",
        [
            b"3 1 obj<</Length 3>>stream\nabcdendstream endobj",
            b"3 1 obj<</Length 5>>stream\nabcdendstream endobj",
            b"3 1 obj<</Length -1>>stream\nendstream endobj",
            b"3 1 obj<</Length -11>>stream\nendstream endobj",
            b"3 1 obj<</Length 4>>stream\nabcd\n\n\nendstream endobj",
            b"3 1 obj<</Length 4>>stream\nabcd endstream endobj",
            b"3 1 obj<</Length 4.0>>stream\nabcdendstream endobj",
            b"3 1 obj<</Length true>>stream\naendstream endobj",
            b"3 1 obj<</Length 1 0 R>>stream\naendstream endobj",
            b"3 1 obj<<>>stream\nendstream endobj",
            b"3 1 obj[]stream\nendstream endobj",
            b"3 1 obj 7 stream\nendstream endobj",
        ],
    )
    def test_a_stream_that_is_not_as_it_says_is_refused(self, text):
        assert self.refused(text) == "stream"

    @pytest.mark.parametrize(
        "text",
        [
            b"3 1 obj<</Length 4>>stream\rabcdendstream endobj",
            b"3 1 obj<</Length 4>>streamabcdendstream endobj",
            b"3 1 obj<</Length 0>>stream\nendstreamx endobj",
            b"3 1 obj<</Length 0>>stream\nendstream endobjx",
        ],
    )
    def test_a_stream_without_its_words_is_no_object(self, text):
        assert self.refused(text) == "object"

    def test_a_length_may_be_negative_nowhere(self):
        text = b"3 1 obj<</Length 4>>endstream stream\n endobj"
        assert self.refused(text) == "object"
        back = b"endstream endobj 3 1 obj<</Length 0>>stream\n"
        start = back.index(b"3 1")
        assert self.refused(back, start=start, length_of=lambda _: -len(back)) == "stream"

    def test_its_length_may_be_resolved_elsewhere(self):
        asked = []

        def length_of(length):
            asked.append(length)
            return 2

        text = b"3 1 obj<</Length 9 0 R>>stream\nabendstream endobj"
        found, _ = self.of(text, length_of=length_of)
        assert (bytes(found.data), asked) == (b"ab", [Ref(9, 0)])

    def test_its_bytes_are_not_copied(self):
        text = b"3 1 obj<</Length 2>>stream\nabendstream endobj"
        assert self.of(text)[0].data.obj is text
