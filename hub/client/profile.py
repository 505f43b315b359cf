"""Where a client finds its hub and its keys: a profile in a TOML file.

    [mzj]
    url = "https://hub.example.gov.cn"
    answer_key = "answers.key.pub"     # the hub's, as a file or as text; get it over a channel you trust
    signing_key = "mzj.pem"            # the system's own key; or caller_key = "caller.key"
    ca = "city-ca.pem"                 # where the hub's TLS certificate is of an authority of your own
    lang = "zh"
    sandbox = false

Files are looked for beside the profile; those with keys must be open to nobody but their owner (mode 0600). The file of
profiles is ``ZHENGTONG_PROFILES``, else ``zhengtong.toml`` in the working folder, else
``~/.config/zhengtong/profiles.toml``.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from audit.errors import KeyTextError
from hub.client.errors import ProfileError
from hub.signatures import AnswerVerifier, SignatureInvalidError
from hub.signing.keyfiles import read_private

if TYPE_CHECKING:
    from hub.signing.algorithms import PrivateKey

VARIABLE: Final = "ZHENGTONG_PROFILES"
HOME_FILE: Final = "~/.config/zhengtong/profiles.toml"
_MEMBERS: Final = ("url", "answer_key", "signing_key", "caller_key", "ca", "lang", "sandbox")
_SECRET: Final = frozenset({"signing_key", "caller_key"})
LANGUAGES: Final = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Profile:
    """A hub's address, the key that its answers are checked with, and the key that ours are known by."""

    url: str
    answer_key: str
    key: str | PrivateKey = field(repr=False)
    lang: str = "zh"
    sandbox: bool = False
    ca_file: Path | None = None

    @classmethod
    def load(cls, name: str = "default", path: Path | None = None) -> Profile:
        """The profile called *name*.

        Raises:
            ProfileError: there is none, it lacks something, or its key cannot be read or is open to others.
        """
        chosen = path or default_file()
        wrong = _Wrong(name, chosen)
        try:
            known = tomllib.loads(chosen.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise wrong(
                f"there is no such file; write one, or name it in {VARIABLE}",
                f"文件不存在；请建立该文件，或用 {VARIABLE} 指明",
            ) from error
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise wrong(f"the file cannot be read ({why})", f"文件无法读取（{why}）") from error
        except tomllib.TOMLDecodeError as error:
            raise wrong(f"it is no TOML: {error}", f"不是 TOML 文件：{error}") from error
        except UnicodeDecodeError as error:
            raise wrong("it is no TOML: not in UTF-8", "不是 TOML 文件：不是 UTF-8 编码") from error
        plain = known.get(name)
        if not isinstance(plain, dict):
            there = ", ".join(sorted(other for other, value in known.items() if isinstance(value, dict)))
            raise wrong(f"it is not there; there is: {there or 'none'}", f"不存在；现有配置：{there or '无'}")
        return cls._of(plain, wrong)

    @classmethod
    def _of(cls, plain: dict[str, Any], wrong: _Wrong) -> Profile:
        unknown = ", ".join(sorted(plain.keys() - set(_MEMBERS)))
        if unknown:
            known = ", ".join(_MEMBERS)
            raise wrong(f"{unknown} is not known; known are {known}", f"未知项 {unknown}；可用项为 {known}")
        for member, value in plain.items():
            if not isinstance(value, bool if member == "sandbox" else str):
                raise wrong(f"{member} is of the wrong type", f"{member} 类型有误")
        for member in ("url", "answer_key"):
            if not plain.get(member):
                raise wrong(f"{member} is missing", f"缺少 {member}")
        if ("signing_key" in plain) == ("caller_key" in plain):
            raise wrong("either signing_key or caller_key is needed", "应且只应给出 signing_key 或 caller_key")
        lang = plain.get("lang", "zh")
        if lang not in LANGUAGES:
            raise wrong("lang is zh or en", "lang 只能是 zh 或 en")
        answer_key = _text("answer_key", plain, wrong)
        try:
            for line in answer_key.split() or [""]:
                AnswerVerifier.from_text(line)
        except SignatureInvalidError as error:
            raise wrong(
                "answer_key is neither a key `ed25519:…` nor a file that holds one",
                "answer_key 既不是 `ed25519:…` 形式的公钥，也不是存有公钥的文件",
            ) from error
        key: str | PrivateKey
        if "caller_key" in plain:
            key = _text("caller_key", plain, wrong)
        else:
            try:
                key = read_private(_text("signing_key", plain, wrong))
            except KeyTextError as error:
                raise wrong(
                    "signing_key is no private key, nor a file that holds one (PEM, without a passphrase)",
                    "signing_key 既不是私钥，也不是存有私钥的文件（PEM，不带口令）",
                ) from error
        ca_file = wrong.path.parent / Path(plain["ca"]).expanduser() if "ca" in plain else None
        return cls(plain["url"], answer_key, key, lang, sandbox=plain.get("sandbox", False), ca_file=ca_file)

    def settings(self) -> dict[str, Any]:
        """What a client is made with, by the names of its parameters."""
        return {
            "base_url": self.url,
            "key": self.key,
            "verifier_key": self.answer_key,
            "lang": self.lang,
            "sandbox": self.sandbox,
            "ca_file": self.ca_file,
        }


@dataclass(frozen=True, slots=True)
class _Wrong:
    """Makes the error that says what is wrong with a profile."""

    name: str
    path: Path

    def __call__(self, why: str, why_zh: str) -> ProfileError:
        return ProfileError(name=self.name, path=self.path, why=why, why_zh=why_zh)


def _text(member: str, plain: dict[str, Any], wrong: _Wrong) -> str:
    """The text of *member*: of the file that it names, else its own."""
    given = str(plain[member])
    file = wrong.path.parent / Path(given).expanduser()
    # A key itself is no path, and may be longer than a path can be.
    if "\n" in given or not _is_file(file):
        if member in _SECRET and "\n" not in given and ("/" in given or file.suffix):
            raise wrong(f"there is no file `{file}` for {member}", f"{member} 所指文件 `{file}` 不存在")
        return given.strip()
    if member in _SECRET and open_to_others(file):
        raise wrong(
            f"`{file}` can be read by other users of this machine; close it: chmod 600 {file}",
            f"本机其他用户可读取 `{file}`；请收紧权限：chmod 600 {file}",
        )
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise wrong(f"{member}: `{file}` cannot be read ({why})", f"{member}：`{file}` 无法读取（{why}）") from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def open_to_others(path: Path) -> bool:
    """Whether *path* is ours and other users may read or write it; a file of another owner is that one's affair."""
    found = path.stat()
    return found.st_uid == os.getuid() and bool(found.st_mode & 0o077)


def default_file() -> Path:
    """Where profiles are looked for."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    here = Path("zhengtong.toml")
    return here if here.exists() else Path(HOME_FILE).expanduser()
