"""Which addresses a web hook may have: parsed once, looked up anew at every call, and connected to as it was checked.

A hook makes the hub send requests where a caller wants, from inside its network (server-side request forgery). So only
public addresses are called, and those networks that the deployment names; names are resolved by us, and the connection
goes to the very address that was found in order, whatever the name means a moment later.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urlsplit

from hub.webhooks.errors import HookAddressError, HookSettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL_CHARS: Final = 500
SETTING: Final = "ZHENGTONG_HOOK_NETWORKS"
_PORTS: Final = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]")
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+")
# IPv6 addresses that stand for an IPv4 address, which is then the one to be judged (RFC 6052 §2.1).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Carriers' own (RFC 6598), where some clouds' metadata services lie; and protocols' own (RFC 6890 §2.2.2), which not
# every Python takes for private.
_NEVER = (ipaddress.IPv4Network("100.64.0.0/10"), ipaddress.IPv4Network("192.0.0.0/24"))


@dataclass(frozen=True, slots=True)
class Address:
    """A web hook's address, in parts. *authority* is the Host field; *host* has no brackets."""

    url: str
    secure: bool
    host: str
    port: int
    path: str
    authority: str


def parse(url: str) -> Address:
    """The address that *url* names, as strictly as it is compared and signed afterwards.

    Raises:
        HookAddressError: it is not of the form ``https://HOST[:PORT]/PATH``.
    """
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        _refuse(f"at most {MAX_URL_CHARS} ASCII characters are wanted", f"应为不超过 {MAX_URL_CHARS} 个 ASCII 字符")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        _refuse("it is no address", "不是网址")
    if parts.scheme not in _PORTS:
        _refuse("it must begin with `https://`", "须以 `https://` 开头")
    if "@" in parts.netloc or "?" in url or "#" in url:
        _refuse("it must hold no user, query or fragment", "不得含有用户名、查询参数或片段")
    host = parts.netloc.rsplit(":", 1)[0] if port is not None else parts.netloc.removesuffix(":")
    host = host.lower()
    if _HOST.fullmatch(host) is None or ".." in host or port == 0:
        _refuse("its host or port is none", "主机名或端口无效")
    path = parts.path or "/"
    if _PATH.fullmatch(path) is None:
        _refuse("its path holds a character that must be percent-encoded", "路径含有须转义的字符")
    usual = _PORTS[parts.scheme]
    number = port or usual
    authority = host if number == usual else f"{host}:{number}"
    return Address(url, parts.scheme == "https", host.strip("[]"), number, path, authority)


def networks(text: str) -> tuple[Network, ...]:
    """The networks of the setting: ``10.0.0.0/8, fd00::/8``; none of an empty one.

    Raises:
        HookSettingsError: one is no network.
    """
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise HookSettingsError(name=SETTING, expected="10.0.0.0/8, fd00::/8 …") from error


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses that the system knows *host* by. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(where[0]).split("%")[0] for *_, where in found]


@dataclass(frozen=True, slots=True)
class Fence:
    """What may be called: public addresses, and those in the *allowed* networks."""

    allowed: tuple[Network, ...] = ()
    resolver: Callable[[str, int], Sequence[str]] = system_resolver

    def resolve(self, address: Address) -> str:
        """The IP address to connect to now.

        Raises:
            HookAddressError: the name is unknown, or one of its addresses must not be called. All must be in order: a
                name that also means an inner address is a trap or a mistake.
        """
        try:
            found = [ipaddress.ip_address(text) for text in self.resolver(address.host, address.port)]
        except (OSError, ValueError, UnicodeError):
            found = []
        if not found:
            _refuse("its host is not known by name", "主机名无法解析")
        for ip in found:
            listed = any(ip in network for network in self.allowed if network.version == ip.version)
            if not listed and not public(ip):
                _refuse("it lies in a network that is not called from here", "该地址位于不允许访问的网络")
            if not address.secure and not (listed and ip.is_loopback):
                _refuse("it must begin with `https://`", "须以 `https://` 开头")
        return str(found[0])


def public(ip: IP) -> bool:
    """Whether *ip* is an ordinary address of the public Internet, however it is wrapped."""
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if ip.teredo is not None or ip.is_site_local:
            return False
        if inner is not None:
            return public(inner)
    elif any(ip in network for network in _NEVER):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


def _refuse(why: str, why_zh: str) -> NoReturn:
    raise HookAddressError(why=why, why_zh=why_zh)
