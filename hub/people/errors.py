"""What can go wrong with people and their signing in."""

from __future__ import annotations

from hub.errors import GrantError, HubError, NotFoundError, WorkError


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
    en = "It was tried too often. Wait {seconds} s before the next try."
    zh = "尝试次数过多。请在 {seconds} 秒后重试。"


class SignOnUnreachableError(HubError):
    """The provider does not answer, or not as one does."""

    code = "sign_on_unreachable"
    en = "Single sign-on does not answer now. Try again in a while, or sign in with your password."
    zh = "统一身份认证暂无响应。请稍后再试，或使用密码登录。"


class SignOnDeclinedError(HubError):
    """The person, or the provider, said no."""

    code = "sign_on_declined"
    en = "Single sign-on did not let you in: you declined, or it did. Begin again if that was a mistake."
    zh = "统一身份认证未予通过：您取消了登录，或被拒绝。如系误操作，请重新登录。"


class SignOnStaleError(HubError):
    """The state is unknown, was used, is too old, or belongs to another browser."""

    code = "sign_on_stale"
    en = "This way to sign in was used already, took too long, or was begun in another browser. Begin again."
    zh = "本次登录已使用、已超时，或并非由本浏览器发起。请重新登录。"


class SignOnForgedError(HubError):
    """The answer is not one that the provider gave to this question; *why* says what does not fit."""

    code = "sign_on_forged"
    en = "What came back from single sign-on cannot be trusted: {why}. Begin again; if it stays so, tell the operators."
    zh = "统一身份认证返回的结果不可信：{why_zh}。请重新登录；如仍如此，请联系运维人员。"


class SignOnUnknownError(HubError):
    """The provider knows the person, and the portal knows nobody so, or another, or nobody who may sign in."""

    code = "sign_on_unknown"
    en = "Single sign-on knows you, but nobody who may use the portal is registered so. Ask your administrator."
    zh = "统一身份认证已识别您，但本平台未登记可用的对应用户。请联系管理员。"


class OwnDutiesError(WorkError):
    """Nobody gives duties to the own post, nor says who is let in as it."""

    code = "own_duties"
    en = "Nobody changes duties or single sign-on of the own post. Another administrator does."
    zh = "不得变更本人岗位的职责或统一身份认证绑定，应由其他管理员办理。"


class LastAdministratorError(WorkError):
    """Without this administrator there would be none."""

    code = "last_administrator"
    en = "This is the last administrator. Register another one first."
    zh = "这是最后一名系统管理员。请先登记另一名。"
