"""What can go wrong with people and their signing in."""

from __future__ import annotations

from hub.errors import GrantError, HubError, NotFoundError


class PersonInvalidError(GrantError):
    """What is said of a person cannot be kept; *where* names the field, never what it held."""

    code = "person_invalid"
    en = "`{where}`: {why}."
    zh = "`{where}`：{why_zh}。"


class PersonUnknownError(NotFoundError):
    """Nobody is registered by this login or number."""

    code = "person_unknown"
    en = "Nobody is registered by this login or number. List them: `zhengtong people list`."
    zh = "没有此登录名或编号的用户。可查看：`zhengtong people list`。"


class SignInRefusedError(HubError):
    """Login, password or code are not right together; which of them is not said."""

    code = "sign_in_refused"
    en = "This login and password do not go together. Try again, or ask your administrator for a new password."
    zh = "登录名或密码不正确。请重试，或联系管理员重置密码。"


class CodeRefusedError(HubError):
    """The one-time code is none of now, or was used."""

    code = "code_refused"
    en = "This code is not right, or was used. Wait for the next one of your authenticator."
    zh = "动态验证码不正确或已使用。请等待验证器的下一个验证码。"


class SignInWaitsError(HubError):
    """It was tried too often."""

    code = "sign_in_waits"
    en = "It was tried too often. Wait {seconds} seconds before the next try."
    zh = "尝试次数过多。请在 {seconds} 秒后重试。"
