"""Where a client finds its hub and its keys: a profile in a TOML file.

    [mzj]
    url = "https://hub.example.gov.cn"
    answer_key = "answers.key.pub"     # the hub's, as a file or as text; get it over a channel you trust
    signing_key = "mzj.pem"            # the system's own key; or caller_key = "caller.key"
    lang = "zh"
    sandbox = false

Files are looked for beside the profile. The file is ``ZHENGTONG_PROFILES``, else ``zhengtong.toml`` in the working
folder, else ``~/.config/zhengtong/profiles.toml``.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from audit.errors import KeyTextError
from hub.client.errors import ProfileError
from hub.signing.keyfiles import read_private

if TYPE_CHECKING:
    from hub.signing.algorithms import PrivateKey

VARIABLE: Final = "ZHENGTONG_PROFILES"
_MEMBERS: Final = frozenset({"url", "answer_key", "signing_key", "caller_key", "lang", "sandbox"})


@dataclass(frozen=True, slots=True)
class Profile:
    """A hub's address, the key that its answers are checked with, and the key that ours are known by."""

    url: str
    answer_key: str
    key: str | PrivateKey = field(repr=False)
    lang: str = "zh"
    sandbox: bool = False

    @classmethod
    def load(cls, name: str = "default", path: Path | None = None) -> Profile:
        """The profile called *name*.

        Raises:
            ProfileError: there is none, or it lacks something.
        """
        chosen = path or _file()
        try:
            known = tomllib.loads(chosen.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ProfileError(name=name, path=chosen, why="there is no such file", why_zh="文件不存在") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ProfileError(name=name, path=chosen, why="it is no TOML", why_zh="不是 TOML 文件") from error
        plain = known.get(name)
        if not isinstance(plain, dict):
            raise ProfileError(name=name, path=chosen, why="it is not there", why_zh="不存在")
        return cls._of(plain, name, chosen)

    @classmethod
    def _of(cls, plain: dict[str, Any], name: str, path: Path) -> Profile:
        def wrong(why: str, why_zh: str) -> ProfileError:
            return ProfileError(name=name, path=path, why=why, why_zh=why_zh)

        if plain.keys() - _MEMBERS:
            listed = ", ".join(sorted(plain.keys() - _MEMBERS))
            raise wrong(f"{listed} is not known", f"未知项 {listed}")
        if not isinstance(plain.get("url"), str) or "answer_key" not in plain:
            raise wrong("url and answer_key are needed", "缺少 url 或 answer_key")
        if ("signing_key" in plain) == ("caller_key" in plain):
            raise wrong("either signing_key or caller_key is needed", "应且只应给出 signing_key 或 caller_key")

        def text(member: str) -> str:
            file = path.parent / str(plain[member])
            try:
                return file.read_text(encoding="utf-8").strip() if file.is_file() else str(plain[member])
            except OSError as error:
                raise wrong(f"{member} cannot be read", f"{member} 无法读取") from error

        key: str | PrivateKey
        if "caller_key" in plain:
            key = text("caller_key")
        else:
            try:
                key = read_private(text("signing_key"))
            except KeyTextError as error:
                raise wrong("signing_key is no private key", "signing_key 不是私钥") from error
        return cls(
            plain["url"], text("answer_key"), key, str(plain.get("lang", "zh")), sandbox=bool(plain.get("sandbox"))
        )


def _file() -> Path:
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    here = Path("zhengtong.toml")
    return here if here.exists() else Path("~/.config/zhengtong/profiles.toml").expanduser()
