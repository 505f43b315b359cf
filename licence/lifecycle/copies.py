"""Annotated copies (加注件): a licence shown for one purpose, until a day, with a watermark that says so.

The four fields follow GB/T 36903: JZJZZSJ when it was made, JZJZZZ by whom, JZJZZSY what for, JZJYXQJZSJ until when.
Drawing the watermark on a page, and sealing the copy, is left to whoever renders it. The fields stand in what is
sealed: in an OFD among its CustomDatas, in a PDF among its keywords (`to_keywords`), so that a verifier sees without a
network what a copy is for and when it ended (`find_copy`, then `AnnotatedCopy.check_time`). That it was withdrawn
since, only who made it can say, by its number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from licence.errors import CopyRefusedError
from licence.lifecycle.states import State
from licence.model import CHINA_TIME

if TYPE_CHECKING:
    from collections.abc import Mapping

# A copy serves one errand; half a year is the longest that an errand of the administration may take.
MAX_DAYS: Final = 180
MAX_TEXT: Final = 100
#: Beside the four fields: the number under which who made the copy keeps it.
NUMBER: Final = "zhengtong.copy"
#: The licence's identifier, and the digest of the credential that a document was drawn from.
IDENTIFIER: Final = "ZZBS"
CREDENTIAL: Final = "zhengtong.credential"
FIELDS: Final = ("JZJZZSJ", "JZJZZZ", "JZJZZSY", "JZJYXQJZSJ")
_MARKS: Final = frozenset({*FIELDS, NUMBER, IDENTIFIER, CREDENTIAL})
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+08:00")
_FORM: Final = "%Y-%m-%dT%H:%M:%S+08:00"


@dataclass(frozen=True, slots=True)
class AnnotatedCopy:
    """The annotation of a copy of *licence*; an instance is always well-formed. Times are aware, whole seconds."""

    licence: str
    made_at: datetime
    made_by: str
    purpose: str
    valid_until: datetime

    def __post_init__(self) -> None:
        for text, en, zh in ((self.made_by, "its maker", "加注者"), (self.purpose, "its purpose", "加注事由")):
            if not text.strip() or len(text) > MAX_TEXT:
                raise CopyRefusedError("copy_text_missing", name=en, name_zh=zh, limit=MAX_TEXT)
            if not text.isprintable():
                # A line feed or a direction mark would change what the watermark seems to say.
                raise CopyRefusedError("copy_text_hidden", name=en, name_zh=zh)
        aware = self.made_at.utcoffset() is not None and self.valid_until.utcoffset() is not None
        if not aware or not self.made_at < self.valid_until <= self.made_at + timedelta(days=MAX_DAYS):
            raise CopyRefusedError("copy_validity", limit=MAX_DAYS)

    def claims(self) -> dict[str, str]:
        """The four fields, times in China as ``YYYY-MM-DDTHH:MM:SS+08:00``."""
        return dict(
            zip(FIELDS, (_time(self.made_at), self.made_by, self.purpose, _time(self.valid_until)), strict=True)
        )

    @classmethod
    def parse(cls, licence: str, claims: Mapping[str, object]) -> AnnotatedCopy:
        """The annotation in *claims*, which hold the four fields and nothing else.

        Raises:
            CopyRefusedError: they do not, or a field is malformed.
        """
        if claims.keys() != set(FIELDS) or not all(isinstance(v, str) for v in claims.values()):
            raise CopyRefusedError("copy_unreadable")
        made_at, made_by, purpose, valid_until = (str(claims[name]) for name in FIELDS)
        return cls(licence, _read(made_at), made_by, purpose, _read(valid_until))

    def watermark(self) -> str:
        """What is printed across the copy. In Chinese, then English: whoever is shown it may read only one."""
        day = f"{self.valid_until.astimezone(CHINA_TIME):%Y-%m-%d %H:%M}"
        return f"仅限{self.purpose}使用，有效期至 {day}，{self.made_by}加注 / For “{self.purpose}” only, until {day}"

    def check(self, *, licence: str, purpose: str, at: datetime) -> None:
        """Accept this copy for *purpose* at time *at*, as a copy of *licence*.

        Raises:
            CopyRefusedError: it is of another licence, for another purpose, not yet made, or has ended.
        """
        if self.licence != licence:
            raise CopyRefusedError("copy_other_licence")
        if self.purpose != purpose:
            raise CopyRefusedError("copy_other_purpose", purpose=self.purpose)
        self.check_time(at)

    def check_time(self, at: datetime) -> None:
        """Accept this copy at time *at*, whatever it is for.

        Raises:
            CopyRefusedError: ``copy_not_yet`` or ``copy_expired``.
        """
        if at < self.made_at:
            raise CopyRefusedError("copy_not_yet", made=_time(self.made_at))
        if at >= self.valid_until:
            raise CopyRefusedError("copy_expired", limit=_time(self.valid_until))


def annotate(
    licence: str,
    *,
    state: State,
    licence_ends: datetime | None,
    made_by: str,
    purpose: str,
    at: datetime,
    valid_until: datetime,
) -> AnnotatedCopy:
    """A copy of *licence*, which is in *state* and ends at *licence_ends* (None: no end). Fractions of seconds go.

    Raises:
        CopyRefusedError: the licence is not in force, would end before its copy, or the annotation is malformed.
    """
    if state is not State.VALID:
        raise CopyRefusedError("copy_of_ended", state=state.en, state_zh=state.zh)
    copy = AnnotatedCopy(licence, at.replace(microsecond=0), made_by, purpose, valid_until.replace(microsecond=0))
    if licence_ends is not None and copy.valid_until > licence_ends:
        raise CopyRefusedError("copy_outlives_licence", limit=_time(licence_ends))
    return copy


def find_copy(licence: str, facts: Mapping[str, str]) -> AnnotatedCopy | None:
    """The annotation among the signed *facts* of a document (CustomDatas, keywords), None where it has none.

    Raises:
        CopyRefusedError: some of the four fields are there and not the others, or a copy's number without them, or one
            is malformed.
    """
    found = {name: facts[name] for name in FIELDS if name in facts}
    return AnnotatedCopy.parse(licence, found) if found or NUMBER in facts else None


def to_keywords(facts: Mapping[str, str]) -> tuple[str, ...]:
    """*facts* as keywords ``NAME=value``, for formats that know no other place; commas and per cents are escaped."""
    return tuple(f"{name}={value.replace('%', '%25').replace(',', '%2C')}" for name, value in facts.items())


def from_keywords(text: str) -> dict[str, str]:
    """What `to_keywords` wrote and a format joined by commas; what is no ``NAME=value`` is passed over.

    Raises:
        CopyRefusedError: a name that means something here stands twice; of a stranger's the first counts.
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            continue
        if name not in found:
            found[name] = value.replace("%2C", ",").replace("%25", "%")
        elif name in _MARKS:
            raise CopyRefusedError("copy_unreadable")
    return found


def _time(at: datetime) -> str:
    return at.astimezone(CHINA_TIME).strftime(_FORM)


def _read(text: str) -> datetime:
    try:
        # The pattern first: fromisoformat takes a dozen forms, and one annotation shall have one form.
        return datetime.fromisoformat(text if _TIME.fullmatch(text) else "")
    except ValueError:
        raise CopyRefusedError("copy_unreadable") from None
