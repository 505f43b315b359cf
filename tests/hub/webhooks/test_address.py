"""Addresses: only those of the agreed form, and none inside a network that the deployment did not name."""

from __future__ import annotations

import ipaddress

import pytest

from hub.webhooks.address import Fence, networks, parse, public
from hub.webhooks.errors import HookAddressError, HookSettingsError


def test_an_address_is_taken_apart_as_it_is_signed_and_called():
    found = parse("https://Hooks.example.CN:8443/a/%E4%B8%AD?".removesuffix("?"))
    assert (found.host, found.port, found.path, found.authority) == (
        "hooks.example.cn",
        8443,
        "/a/%E4%B8%AD",
        "hooks.example.cn:8443",
    )
    assert found.secure
    assert parse("https://a.cn").path == "/"
    assert parse("https://a.cn:443/x").authority == "a.cn"
    assert parse("https://[2001:db8::1]:8443/").host == "2001:db8::1"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.cn/x",
        "ftp://a.cn/",
        "file:///etc/passwd",
        "gopher://a.cn/",
        "https://user:word@a.cn/",
        "https://a.cn@b.cn/",
        "https://a.cn/?x=1",
        "https://a.cn/#x",
        "https://a.cn/a b",
        "https://a.cn/\r\nHost: b",
        "https://a.cn\\@b.cn/",
        "https://a.cn:0/",
        "https://a.cn:99999/",
        "https://a.cn:x/",
        "https:///x",
        "https://-a.cn/",
        "https://a..cn/",
        "https://例子.cn/",
        "https://a.cn/%zz",
        "https://a_b.cn/",
        "https://" + "a" * 600 + ".cn/",
    ],
)
def test_what_has_another_form_is_refused(url):
    with pytest.raises(HookAddressError):
        parse(url)


INNER = (
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",  # noqa: S104 - refused here, not bound to
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.100.100.200",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.0.8",
    "198.18.0.1",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
)


@pytest.mark.parametrize("ip", INNER)
def test_inner_addresses_are_not_public_however_they_are_written(ip):
    assert not public(ipaddress.ip_address(ip))
    with pytest.raises(HookAddressError):
        Fence(resolver=lambda host, port: [ip]).resolve(parse("https://a.cn/"))
    # A name that means a public and an inner address is a trap, whichever comes first.
    for both in (["1.1.1.1", ip], [ip, "1.1.1.1"]):
        with pytest.raises(HookAddressError):
            Fence(resolver=lambda host, port, both=both: both).resolve(parse("https://a.cn/"))


@pytest.mark.parametrize("ip", ["1.1.1.1", "219.141.136.10", "2400:3200::1", "64:ff9b::101:101"])
def test_public_addresses_are_called(ip):
    assert Fence(resolver=lambda host, port: [ip]).resolve(parse("https://a.cn/")) == ip


def test_a_deployment_may_name_networks_of_its_own():
    fence = Fence(networks("10.0.0.0/8, fd00::/8"), resolver=lambda host, port: ["10.3.4.5"])
    assert fence.resolve(parse("https://a.cn/")) == "10.3.4.5"
    with pytest.raises(HookAddressError):
        Fence(networks("10.0.0.0/8"), resolver=lambda host, port: ["11.0.0.1", "192.168.0.1"]).resolve(
            parse("https://a.cn/")
        )


def test_without_tls_only_this_machine_is_called_and_only_if_it_is_named():
    loop = networks("127.0.0.0/8, 10.0.0.0/8")
    assert Fence(loop, resolver=lambda host, port: ["127.0.0.1"]).resolve(parse("http://localhost:9/")) == "127.0.0.1"
    for allowed, ip in (((), "127.0.0.1"), (loop, "10.0.0.1"), ((), "1.1.1.1"), (loop, "1.1.1.1")):
        with pytest.raises(HookAddressError):
            Fence(allowed, resolver=lambda host, port, ip=ip: [ip]).resolve(parse("http://a.cn/"))


def test_a_name_that_nobody_knows_is_refused():
    def unknown(host, port):
        raise OSError

    for resolver in (unknown, lambda host, port: [], lambda host, port: ["no address"]):
        with pytest.raises(HookAddressError):
            Fence(resolver=resolver).resolve(parse("https://a.cn/"))


def test_numbers_are_judged_as_the_addresses_that_they_are():
    # Of the system's own resolver: 2130706433 and 0x7f.1 are ways to write 127.0.0.1.
    for host in ("127.0.0.1", "2130706433", "[::1]"):
        with pytest.raises(HookAddressError):
            Fence().resolve(parse(f"https://{host}/"))


def test_a_setting_that_is_no_network_is_said_so():
    assert networks("") == ()
    for text in ("10.0.0.0/33", "a.cn", "10.1.2.3/8"):
        with pytest.raises(HookSettingsError):
            networks(text)
