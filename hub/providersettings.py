"""What a deployment says of its provider of single sign-on (OpenID Connect); read from the environment, once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hub.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

RETURN_PATH: Final = "/sign-in/provider/back"
FIRST_USE, BY_HAND = "first-use", "by-hand"
DEFAULT_CLAIM: Final = "preferred_username"
DEFAULT_NAME, DEFAULT_NAME_EN = "统一身份认证", "single sign-on"
DEFAULT_SCOPES: Final = "openid profile"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_CLAIM: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,100}")
_MAX_NAME_CHARS: Final = 40


class SignOnSettingsError(SetupError):
    """A setting of single sign-on is of the wrong form; *name* is the setting's."""

    code = "sign_on_settings"
    en = "The setting `{name}` must be {expected}. See docs/operations.md."
    zh = "配置项 `{name}` 应为 {expected}。见 docs/operations.md。"


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One provider. *returns* is our address that it sends people back to, as it is registered there.

    *claim* holds a person's login; *spares_codes* the values of `acr` or `amr` after which no one-time code is asked
    for; *first_use*: the first signing in binds the provider's subject to the person of that login.
    """

    issuer: str
    client_id: str
    returns: str
    secret_file: Path | None = None
    name_zh: str = DEFAULT_NAME
    name_en: str = DEFAULT_NAME_EN
    claim: str = DEFAULT_CLAIM
    scopes: str = DEFAULT_SCOPES
    spares_codes: frozenset[str] = frozenset()
    first_use: bool = True

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> ProviderSettings | None:
        """What the environment says; None where it names no issuer.

        Raises:
            SignOnSettingsError: a setting is of the wrong form, or one is missing.
        """
        issuer = env.get("ZHENGTONG_OIDC_ISSUER", "").strip()
        if not issuer:
            return None
        client = env.get("ZHENGTONG_OIDC_CLIENT_ID", "").strip()
        returns = env.get("ZHENGTONG_OIDC_RETURN", "").strip()
        claim = env.get("ZHENGTONG_OIDC_LOGIN_CLAIM", DEFAULT_CLAIM).strip()
        scopes = env.get("ZHENGTONG_OIDC_SCOPES", DEFAULT_SCOPES).split()
        bind = env.get("ZHENGTONG_OIDC_BIND", FIRST_USE).strip().lower()
        secret = env.get("ZHENGTONG_OIDC_SECRET_FILE", "").strip()
        name_zh = env.get("ZHENGTONG_OIDC_NAME", DEFAULT_NAME).strip()
        name_en = env.get("ZHENGTONG_OIDC_NAME_EN", DEFAULT_NAME_EN).strip()
        spares = env.get("ZHENGTONG_OIDC_SPARES_CODES", "").split(",")
        # The issuer is compared byte for byte, and an address is made of it (OpenID Connect Discovery §4).
        _need(
            is_trustworthy(issuer) and "?" not in issuer and "#" not in issuer,
            "ZHENGTONG_OIDC_ISSUER",
            "https://HOST/PATH",
        )
        _need(bool(client), "ZHENGTONG_OIDC_CLIENT_ID", "the client id that the provider gave")
        _need(
            is_trustworthy(returns) and urlsplit(returns).path == RETURN_PATH,
            "ZHENGTONG_OIDC_RETURN",
            f"https://HOST{RETURN_PATH}",
        )
        _need(_CLAIM.fullmatch(claim) is not None, "ZHENGTONG_OIDC_LOGIN_CLAIM", "the name of a claim")
        _need("openid" in scopes, "ZHENGTONG_OIDC_SCOPES", DEFAULT_SCOPES)
        _need(bind in {FIRST_USE, BY_HAND}, "ZHENGTONG_OIDC_BIND", f"{FIRST_USE} / {BY_HAND}")
        for setting, name in (("ZHENGTONG_OIDC_NAME", name_zh), ("ZHENGTONG_OIDC_NAME_EN", name_en)):
            _need(0 < len(name) <= _MAX_NAME_CHARS and name.isprintable(), setting, f"1–{_MAX_NAME_CHARS} characters")
        return cls(
            issuer=issuer,
            client_id=client,
            returns=returns,
            secret_file=Path(secret).absolute() if secret else None,
            name_zh=name_zh,
            name_en=name_en,
            claim=claim,
            scopes=" ".join(scopes),
            spares_codes=frozenset(filter(None, map(str.strip, spares))),
            first_use=bind == FIRST_USE,
        )

    def secret(self) -> str:
        """The client's secret, read anew each time, so that another one holds at once; "": a public client.

        Raises:
            SignOnSettingsError: the file cannot be read, or is empty.
        """
        if self.secret_file is None:
            return ""
        try:
            text = self.secret_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            text = ""
        _need(bool(text), "ZHENGTONG_OIDC_SECRET_FILE", "a readable file that holds the secret")
        return text


def is_trustworthy(address: str) -> bool:
    """Whether *address* is https, or on this machine: tokens and codes go nowhere in the clear."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    plain = parts.scheme == "http" and host in _LOOPBACK
    return bool(host) and (parts.scheme == "https" or plain) and parts.username is None and address.isascii()


def _need(good: bool, name: str, expected: str) -> None:  # noqa: FBT001 - a condition and what it is of
    if not good:
        raise SignOnSettingsError(name=name, expected=expected)
