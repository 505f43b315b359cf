"""What can go wrong between the hub, its departments and wallets; what wallets are told is `licence.wallet`'s."""

from __future__ import annotations

from hub.errors import CaseUnknownError, NotFoundError, RoleMissingError, SetupError, WorkError


class WalletsClosedError(SetupError):
    """Nobody has said by which name wallets reach the hub."""

    code = "wallets_closed"
    en = "Wallets cannot reach the hub: set `ZHENGTONG_API_HOSTS` to the name by which it is called over https."
    zh = "钱包无法连接平台：请在`ZHENGTONG_API_HOSTS`中设置平台的 https 访问名称。"


class WalletLicenceUnknownError(NotFoundError):
    """No such licence, or none of this holder's."""

    code = "wallet_licence_unknown"
    en = "There is no such licence that could be offered to this holder. Check the identifier."
    zh = "没有可向该持证主体发放的此证照。请核对证照标识。"


class WalletIssuerError(RoleMissingError):
    """Only the issuing department offers its licences to wallets."""

    code = "wallet_not_issuer"
    en = "Only the department that issued the licence may offer it to a wallet: {issuer}."
    zh = "仅颁发机构可将证照发放到钱包：{issuer}。"


class WalletNotInForceError(WorkError):
    """A licence that does not hold is given to no wallet."""

    code = "wallet_licence_not_in_force"
    en = "The licence is not in force (state {state}). Only one that is can go to a wallet."
    zh = "该证照当前非有效状态（{state}），不能发放到钱包。"


class WalletRequestUnknownError(CaseUnknownError):
    """No request of this department has this number, or it has ended, or its result was fetched."""

    code = "wallet_request_unknown"
    en = "There is no such request of yours: it has ended, or its result was fetched already. Ask again."
    zh = "没有本部门的此出示请求：请求已失效，或结果已被取走。请重新发起请求。"


class AskMatterError(WorkError):
    """The matter is none of the department's."""

    code = "wallet_ask_matter"
    en = "`{matter}` is not a matter of department `{department}`. Ask for a matter of your own."
    zh = "`{matter}`不是部门`{department}`的事项。请以本部门事项发起请求。"


class AskKindError(WorkError):
    """The matter has nothing to do with this kind of licence."""

    code = "wallet_ask_kind"
    en = "Matter `{matter}` needs nothing of licence kind `{kind}`: the list names no data of it for this matter."
    zh = "事项`{matter}`不需要证照类型`{kind}`：责任清单未列明该事项需用其数据。"


class AskFieldsError(WorkError):
    """More is asked for than the matter needs."""

    code = "wallet_ask_fields"
    en = "Matter `{matter}` does not need {fields} of licence kind `{kind}`. It may ask for: {allowed}."
    zh = "事项`{matter}`不需要证照类型`{kind}`的 {fields}。可请求的信息项：{allowed}。"
