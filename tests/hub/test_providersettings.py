"""What a deployment may say of its provider of single sign-on, and what is refused before anybody is sent anywhere."""

from __future__ import annotations

import pytest

from hub.providersettings import ProviderSettings, SignOnSettingsError, is_trustworthy
from hub.settings import Settings

GOOD = {
    "ZHENGTONG_OIDC_ISSUER": "https://sso.example/realms/city",
    "ZHENGTONG_OIDC_CLIENT_ID": "portal",
    "ZHENGTONG_OIDC_RETURN": "https://hub.example/sign-in/provider/back",
}


def test_nothing_is_said_and_there_is_none(tmp_path):
    assert Settings.at(tmp_path).provider is None


def test_what_is_said_is_read_and_the_rest_has_defaults():
    said = Settings.from_environment({**GOOD, "ZHENGTONG_OIDC_SPARES_CODES": "mfa, urn:city:two,"}).provider
    assert (said.issuer, said.client_id) == ("https://sso.example/realms/city", "portal")
    assert (said.claim, said.scopes, said.first_use) == ("preferred_username", "openid profile", True)
    assert (said.name_zh, said.name_en) == ("统一身份认证", "single sign-on")
    assert said.spares_codes == {"mfa", "urn:city:two"}
    assert said.secret() == ""
    assert not ProviderSettings.from_environment({**GOOD, "ZHENGTONG_OIDC_BIND": "by-hand"}).first_use


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ISSUER", "http://sso.example"),
        ("ISSUER", "https://sso.example?x=1"),
        ("ISSUER", "sso.example"),
        ("CLIENT_ID", " "),
        ("RETURN", "https://hub.example/elsewhere"),
        ("RETURN", "http://hub.example/sign-in/provider/back"),
        ("LOGIN_CLAIM", "a claim"),
        ("SCOPES", "profile"),
        ("BIND", "perhaps"),
        ("NAME", ""),
        ("NAME_EN", "x" * 41),
    ],
)
def test_a_setting_that_cannot_be_is_named(name, value):
    with pytest.raises(SignOnSettingsError) as error:
        ProviderSettings.from_environment({**GOOD, f"ZHENGTONG_OIDC_{name}": value})
    assert f"ZHENGTONG_OIDC_{name}`" in error.value.text("zh")


def test_a_secret_is_read_when_it_is_needed_and_a_file_without_one_is_named(tmp_path):
    file = tmp_path / "secret"
    said = ProviderSettings.from_environment({**GOOD, "ZHENGTONG_OIDC_SECRET_FILE": str(file)})
    for content in (None, "\n"):
        if content is not None:
            file.write_text(content)
        with pytest.raises(SignOnSettingsError):
            said.secret()
    file.write_text("one\n")
    assert said.secret() == "one"
    file.write_text("two\n")
    assert said.secret() == "two"


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("https://a.example", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://localhost.evil.example", False),
        ("https://user@a.example", False),
        ("javascript:alert(1)", False),
        ("https://[", False),
    ],
)
def test_codes_and_tokens_go_nowhere_in_the_clear(address, good):
    assert is_trustworthy(address) is good
