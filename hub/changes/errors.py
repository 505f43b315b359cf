"""What can be wrong with a cursor of a change feed, named by what its follower does next."""

from __future__ import annotations

from hub.errors import RequestError


class CursorInvalidError(RequestError):
    """No cursor that this feed gave to this department for this resource."""

    code = "cursor_invalid"
    en = "This is no cursor that the feed of `{resource}` gave your department. Send it back as it was given, or `now`."
    zh = "该游标不是资源 `{resource}` 的变更流发给贵单位的游标。请原样回传，或使用 `now` 重新开始。"


class CursorElsewhereError(CursorInvalidError):
    """The cursor belongs to another grant, whose rows and fields may be others."""

    code = "cursor_of_other_grant"
    en = "This cursor was made under grant `{grant}`, not under the one now used. Take a batch and begin with `now`."
    zh = "该游标属于授权 `{grant}`，与当前使用的授权不同。请先批量获取数据，再以 `now` 重新开始。"


class CursorLapsedError(RequestError):
    """Changes since the cursor are not kept any more, or the table was made anew."""

    code = "cursor_lapsed"
    en = (
        "Changes of `{resource}` since this cursor are not kept any more. "
        "Get a cursor with `now`, then take a batch, then go on from that cursor."
    )
    zh = "资源 `{resource}` 自该游标以来的变更已不再保存。请先以 `now` 取得新游标，再批量获取数据，然后从新游标继续。"
