"""Why a signed request was not taken, each with what its sender does next. None repeats what was sent."""

from __future__ import annotations

from hub.errors import KeyRefusedError, TryAgainError


class SigningError(KeyRefusedError):
    """Base: the request was not taken for the key's holder's."""

    code = "signature_refused"
    en = "The request's signature was not accepted."
    zh = "请求签名未被接受。"


class FieldMalformedError(SigningError):
    """A field is not written as structured fields are (RFC 9651)."""

    code = "signature_malformed"
    en = (
        "`Signature`, `Signature-Input` or `Content-Digest` is not a structured field (RFC 9651). Use a library for it."
    )
    zh = "`Signature`、`Signature-Input` 或 `Content-Digest` 不符合结构化字段格式（RFC 9651）。请使用现成的签名库生成。"


class SignatureMissingError(SigningError):
    """There is no signature for us."""

    code = "signature_missing"
    en = 'The request has no signature with `tag="{tag}"`. Sign it by RFC 9421, or send a caller key.'
    zh = '请求中没有带 `tag="{tag}"` 的签名。请按 RFC 9421 签名，或使用调用密钥。'


class SignatureIncompleteError(SigningError):
    """It does not cover, or does not say, what it must. *missing* are names of components or parameters."""

    code = "signature_incomplete"
    en = "The signature does not cover or state {missing}. Sign these, too."
    zh = "签名未覆盖或未声明 {missing}。请一并签入。"


class SignatureKeyError(SigningError):
    """The key is not known, was revoked, or is of another algorithm: which of these is not said."""

    code = "signature_key_refused"
    en = "The signature's key is not in force here for this algorithm. Register the client system's key with the hub."
    zh = "签名所用密钥未登记、已吊销或算法不符。请在平台登记客户端系统的密钥。"


class SignatureTimeError(SigningError):
    """It was made too long ago, or in our future. *now* is our time (UTC)."""

    code = "signature_time"
    en = "The signature is out of its time; here it is {now}. Set the clock, sign anew, and send at once."
    zh = "签名不在有效时间内；平台时间为 {now}。请校准时钟后重新签名并立即发送。"


class SignatureReplayedError(SigningError):
    """The nonce was used before."""

    code = "signature_replayed"
    en = "This signed request was received before. Sign every request anew, with another nonce."
    zh = "该签名请求此前已收到。每次请求须重新签名并使用新的 nonce。"


class SignatureWrongError(SigningError):
    """The signature, or the digest of the body, does not fit."""

    code = "signature_wrong"
    en = "The signature does not fit the request. Sign exactly what is sent; nothing on the way may change it."
    zh = "签名与请求不符。请对实际发送的内容签名，传输途中不得改动。"


class SignatureElsewhereError(SigningError):
    """It was made for another host. That host may know the same key, so it is not for us to take."""

    code = "signature_elsewhere"
    en = "The request is signed for another host than this hub. Sign it with the address that the hub is called by."
    zh = "请求是为其他主机签名的。请使用本平台的地址签名。"


class ProofAmbiguousError(SigningError):
    """The request proves in two ways who sends it, or in one way twice: which one counts is not for us to choose."""

    code = "proof_ambiguous"
    en = "The request says in more than one way, or twice, who sends it. Send one proof: a signature, or a key."
    zh = "请求以多种方式或重复地表明调用方身份。请只使用一种：签名或密钥。"


class CertificateError(SigningError):
    """The client certificate is not known, was revoked, has run out, or is another system's: which is not said."""

    code = "certificate_refused"
    en = "The client certificate is not in force here for this system. Register it with the hub."
    zh = "客户端证书未在平台为该系统登记，或已失效。请在平台登记。"


class NoncesForgottenError(TryAgainError):
    """It was signed before what is remembered begins: the hub, or its machine, was started since, or a clock set back.

    It is not taken, for it may have been; signed anew it is.
    """

    code = "signature_unsure"
    retry_after_s = 1
    en = "It cannot be told whether this request was received before. Send it again, signed anew, in a second."
    zh = "无法确定该请求此前是否已收到。请一秒后重新签名再发送。"


class NoncesFullError(TryAgainError):
    """More requests came within the window than can be remembered: none is taken unremembered."""

    code = "signature_busy"
    retry_after_s = 1
    en = "Too many signed requests at this moment. Send it again, signed anew, in a second."
    zh = "当前签名请求过多。请一秒后重新签名再发送。"
