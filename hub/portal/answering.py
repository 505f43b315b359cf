"""Answers a request for a page.

By number:

    1. what of the address: rate, language, elder mode, session
    2. who may: the door's duties; those who have yet to change a password or set up codes go there first
    3. what was sent: a form, within bounds, from a page of ours (`Origin` or `Sec-Fetch-Site`, and the session's token)
    4. the page's own work, in a worker thread; a refused form is shown again with what was entered
    5. the answer: HTML, JSON at ``.json``, a table at ``.csv``, with headers that let nothing else run or load

What goes wrong becomes a page that says what, and what to do next; nothing of a fault of the program is shown.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from catalog.steps import CaseError, CaseInvalidError, NotYoursError
from hub.api import problems
from hub.errors import HubError, NotFoundError
from hub.peers import source_of
from hub.people import Duty
from hub.people.errors import CodeRefusedError, SignInRefusedError, SignInWaitsError
from hub.people.signon import ATTEMPT
from hub.portal import forms, naming, remedies, rendering, sheets
from hub.portal.errors import (
    DutyMissingError,
    ForeignFormError,
    FormInvalidError,
    LogNotSoundError,
    PictureRefusedError,
    SentBeforeError,
    SignInFirstError,
    TooManyVisitsError,
    UploadTooLargeError,
)
from hub.portal.frame import frame_of
from hub.portal.visits import Download, Go, Shown, Visit
from licence.errors import LicenceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from hub.api.limits import Buckets
    from hub.people import People, Session, Sessions
    from hub.people.signon import SignOn
    from hub.portal.doors import Act, Door
    from hub.portal.visits import Answer

SESSION, LANGUAGE, ELDER, SAID = "zhengtong", "lang", "elder", "said"
RECENT: Final = "window-recent"
SIGN_ON: Final = "zhengtong-sign-on"
SAID_S: Final = 60
SIGN_ON_S: Final = int(ATTEMPT.total_seconds())
WISH_S: Final = 400 * 24 * 3600
TOKEN: Final = "token"  # noqa: S105 - the name of a form's field
SUFFIX: Final = ".json"
# Nothing runs or loads that is not a file of ours, nobody frames us, forms go nowhere else.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(), microphone=(), payment=()",
    "cache-control": "no-store",
    "vary": "Cookie, Accept-Language, HX-Request",
}
_ERRORS: Final = (HubError, CaseError, LicenceError)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers for the doors of one application. *secure*: the portal is called by https alone.

    *rates* bound what one person, or one address, asks for; *tries* the forms that an address sends before anybody is
    signed in. None: no bound.
    """

    people: People
    sessions: Sessions
    sign_on: SignOn | None
    rates: Buckets | None
    tries: Buckets | None
    secure: bool

    async def __call__(self, door: Door, request: Request, *, as_json: bool = False, as_csv: bool = False) -> Response:
        """The answer to *request* at *door*: its page, or the same as data or as a table."""
        visit = await run_in_threadpool(self._visit, request)
        try:
            self._need_room(door, visit)
            self._need_duty(door, visit)
            if door.method == "POST":
                self._need_own(request)
                visit.form = await forms.read(request, door.max_bytes)
                self._need_token(visit)
        except Exception as error:  # noqa: BLE001 - whatever it is becomes a page
            return await run_in_threadpool(self._failed, visit, error, as_json)
        if as_csv:
            return await run_in_threadpool(self._table, door, visit)
        return await run_in_threadpool(self._answer, door, visit, as_json)

    def unknown(self, request: Request) -> Response:
        """The answer to a request for a page that there is not."""
        return self._failed(self._visit(request), NotFoundError(), request.url.path.endswith(SUFFIX))

    # --- steps ------------------------------------------------------------------------------------------------------

    def _visit(self, request: Request) -> Visit:
        cookies = request.cookies
        session = self._session(cookies.get(self._own(SESSION), ""))
        lang = cookies.get(LANGUAGE, "")
        if lang not in {"zh", "en"}:
            # Chinese unless the browser asks for something else that we have.
            accepted = request.headers.get("accept-language", "")
            lang = problems.language(accepted) if accepted else "zh"
        return Visit(
            request=request,
            service=request.app.state.service,
            people=self.people,
            sessions=self.sessions,
            sign_on=self.sign_on,
            lang=lang,
            elder=cookies.get(ELDER) == "on",
            session=session,
            form=forms.Form(),
            path=request.path_params,
            said=_unfold(cookies.get(SAID, "")),
            on_the_way=cookies.get(self._own(SIGN_ON), "")[:100],
        )

    def _session(self, cookie: str) -> Session | None:
        return self.sessions.find(cookie) if 0 < len(cookie) <= 100 else None  # noqa: PLR2004 - ours have 43 characters

    def _need_room(self, door: Door, visit: Visit) -> None:
        """Behind a proxy many share an address: who is signed in is counted as a person."""
        known = visit.known
        name = known.id if known is not None else source_of(visit.request.scope)
        wait = self.rates.take(name) if self.rates is not None else 0.0
        if not wait and self.tries is not None and known is None and (door.tried or door.method == "POST"):
            wait = self.tries.take(name)
        if wait:
            raise TooManyVisitsError(seconds=int(wait) + 1)

    def _need_duty(self, door: Door, visit: Visit) -> None:
        if door.who is None:
            return
        person = visit.person
        if door.settled and not self.sessions.settled(visit.entered):
            raise _SettleFirstError
        if not person.duties & door.who:
            found = [one.words for one in Duty if one in door.who]
            raise DutyMissingError(duties=", ".join(en for en, _ in found), duties_zh="、".join(zh for _, zh in found))

    def _need_own(self, request: Request) -> None:
        """A form of another site is refused by where the browser says it comes from."""
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site is not None:
            own = site in {"same-origin", "none"}
        else:
            own = origin is not None and urlsplit(origin).netloc == request.headers.get("host")
        if not own:
            raise ForeignFormError

    def _need_token(self, visit: Visit) -> None:
        session = visit.session
        if session is not None and not hmac.compare_digest(
            visit.form.text(TOKEN).encode("utf-8", "surrogatepass"), session.token.encode()
        ):
            raise ForeignFormError

    def _answer(self, door: Door, visit: Visit, as_json: bool) -> Response:  # noqa: FBT001 - as `__call__`
        try:
            return self._said(visit, door, door.act(visit), as_json=as_json)
        except Exception as error:  # noqa: BLE001 - whatever it is becomes a page
            if door.again is None or not isinstance(error, _ERRORS) or isinstance(error, _ELSEWHERE):
                return self._failed(visit, error, as_json)
            try:
                return self._again(visit, door, door.again, error)
            except Exception as second:  # noqa: BLE001 - what the form is about may be gone meanwhile
                return self._failed(visit, second, as_json=False)

    def _table(self, door: Door, visit: Visit) -> Response:
        """All pages of a list as one file."""

        def page(number: int) -> Mapping[str, Any]:
            visit.turned_to = number
            answer = door.act(visit)
            plain = answer.plain if isinstance(answer, Shown) else answer
            if isinstance(plain, Go | Download):
                raise NotFoundError
            return plain

        try:
            data = sheets.written(visit, door.csv, page)
        except Exception as error:  # noqa: BLE001 - whatever it is becomes a page
            return self._failed(visit, error, as_json=False)
        name = f"{door.path.strip('/').replace('/', '-')}-{visit.now:%Y%m%d}.csv"
        return self._said(visit, door, Download(data, sheets.MEDIA_TYPE, name), as_json=False)

    def _again(self, visit: Visit, door: Door, act: Act, error: Exception) -> Response:
        visit.problem = _told(visit, error)
        visit.problem_field = str(getattr(error, "params", {}).get("field", ""))
        shown = act(visit)
        plain = shown.plain if isinstance(shown, Shown) else shown
        if isinstance(plain, Go | Download):
            return self._failed(visit, error, as_json=False)
        return self._html(visit, door.template, plain, status=status_of(error))

    def _said(self, visit: Visit, door: Door, answer: Answer, *, as_json: bool) -> Response:
        if isinstance(answer, Go):
            response = Response(status_code=303, headers={**HEADERS, "location": quote(answer.to, safe=_SAFE)})
            self._bake(response, answer.cookies)
            if answer.said:
                self._bake(response, {SAID: _fold(answer.said)})
            return response
        if isinstance(answer, Download):
            how = "inline" if answer.inline else "attachment"
            named = f"{how}; filename*=UTF-8''{quote(answer.name, safe='')}"
            return Response(
                answer.data, media_type=answer.media_type, headers={**HEADERS, "content-disposition": named}
            )
        shown = answer if isinstance(answer, Shown) else Shown(answer)
        if as_json:
            return _json(shown.plain, shown.status)
        response = self._html(visit, shown.template or door.template, shown.plain, status=shown.status)
        self._bake(response, shown.cookies)
        return response

    def _html(self, visit: Visit, template: str, plain: Mapping[str, Any], *, status: int) -> Response:
        page = rendering.render(template, visit, plain, frame_of(visit))
        response = Response(page, status, media_type="text/html", headers={**HEADERS, "content-language": visit.lang})
        if visit.said:
            response.delete_cookie(SAID, path="/")
        return response

    def _failed(self, visit: Visit, error: Exception, as_json: bool) -> Response:  # noqa: FBT001 - as `__call__`
        if isinstance(error, SignInFirstError | _SettleFirstError) and not as_json:
            return self._first(visit, error)
        known = error if isinstance(error, _ERRORS) else HubError()
        if known is not error:
            # Where, and of what kind; its text could quote the request.
            where = "".join(traceback.format_tb(error.__traceback__))
            _logger.error("a page ended in a fault of the program: %s\n%s", type(error).__name__, where)
        status = status_of(known)
        plain = {"code": problems.code_of(known), "text": _told(visit, known), "status": status}
        if as_json:
            return _json(plain, status)
        return self._html(visit, "error.html", plain, status=status)

    def _first(self, visit: Visit, error: Exception) -> Response:
        """Where somebody goes who must do something else before."""
        here = visit.request.url.path
        if visit.request.url.query:
            here += f"?{visit.request.url.query}"
        back = f"?next={quote(here, safe='')}" if visit.request.method == "GET" and here != "/" else ""
        if isinstance(error, _SettleFirstError):
            first = visit.entered
            to = "/me/password" if first.person.must_change and not first.provided else "/me/codes"
        elif visit.session is not None:
            to = "/sign-in/code"
        else:
            to = "/sign-in"
        return Response(status_code=303, headers={**HEADERS, "location": to + back})

    def _bake(self, response: Response, cookies: Mapping[str, str | None]) -> None:
        for name, value in cookies.items():
            own = self._own(name)
            if value is None:
                response.delete_cookie(own, path="/", secure=self.secure, httponly=True, samesite="lax")
                continue
            lasts = {SAID: SAID_S, LANGUAGE: WISH_S, ELDER: WISH_S, RECENT: WISH_S, SIGN_ON: SIGN_ON_S}.get(name)
            response.set_cookie(own, value, max_age=lasts, path="/", secure=self.secure, httponly=True, samesite="lax")

    def _own(self, name: str) -> str:
        # The prefix keeps other hosts of the domain from setting it (RFC 6265bis §4.1.3.2); it wants https.
        return f"__Host-{name}" if self.secure and name in {SESSION, SIGN_ON} else name


class _SettleFirstError(HubError):
    """A password is to be changed, or codes are to be set up, before anything else."""

    code = "settle_first"
    en = "Change your password and set up one-time codes first."
    zh = "请先修改密码并设置动态验证码。"


# What a form shown again would not help with.
_ELSEWHERE: Final = (SignInFirstError, _SettleFirstError, ForeignFormError)
_SAFE: Final = "/?&=#%:@!$'()*+,;~"
_STATUSES: Final[Mapping[type, int]] = {
    SignInFirstError: 401,
    _SettleFirstError: 403,
    DutyMissingError: 403,
    ForeignFormError: 403,
    FormInvalidError: 422,
    SentBeforeError: 409,
    TooManyVisitsError: 429,
    UploadTooLargeError: 413,
    LogNotSoundError: 503,
    PictureRefusedError: 422,
    SignInRefusedError: 422,
    CodeRefusedError: 422,
    SignInWaitsError: 429,
}


def status_of(error: Any) -> int:  # noqa: ANN401 - an error of ours
    """The HTTP status that says *error* on a page."""
    return _STATUSES.get(type(error)) or problems.status_of(error)


def _told(visit: Visit, error: Any) -> str:  # noqa: ANN401 - an error of ours
    """What a page says of *error*."""
    if isinstance(error, CaseInvalidError):
        return naming.problems(visit, error)
    return remedies.said(naming.whose(visit, error) if isinstance(error, NotYoursError) else error, visit.lang)


def _json(plain: Mapping[str, Any], status: int) -> Response:
    data = json.dumps(plain, ensure_ascii=False, default=str, separators=(",", ":"))
    return Response(data, status, media_type="application/json", headers=HEADERS)


def _fold(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _unfold(cookie: str) -> str:
    try:
        return base64.urlsafe_b64decode(cookie.encode("ascii")).decode()[:500]
    except ValueError:
        return ""


def local_path(text: str, default: str = "/") -> str:
    """*text* if it is an address of this portal, else *default*: what a stranger put there leads nowhere else."""
    good = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    return text if good else default
