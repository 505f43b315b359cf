"""How commands that go over the API choose hub and key: one way for all of them.

A profile (`--profile`, `ZHENGTONG_PROFILE`) names hub, answer key and the system's own key. Else a caller key
(`--key-file`) and an address (`--server`), checked by this deployment's answer key or that of `--answer-key`: for the
hub's own machine, and for who has no system of their own. What is written on the line goes before the environment.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hub.cli.arguments import read_file
from hub.cli.language import LANG, say
from hub.settings import LOOPBACK, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.client import Client

KEY_VARIABLE: Final = "ZHENGTONG_CALLER_KEY_FILE"
PROFILE_VARIABLE: Final = "ZHENGTONG_PROFILE"

ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar=say("配置名", "NAME"),
        help=say(
            f"配置文件中的平台与密钥（默认取 {PROFILE_VARIABLE}）",
            f"hub and key of this name in the file of profiles (default: {PROFILE_VARIABLE})",
        ),
        show_default=False,
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        help=say(f"调用密钥文件（默认取 {KEY_VARIABLE}）", f"file with the caller key (default: {KEY_VARIABLE})"),
        show_default=False,
    ),
]
Server = Annotated[
    str | None,
    typer.Option("--server", help=say("平台地址（默认本机）", "the hub's address (default: here)"), show_default=False),
]
AnswerKey = Annotated[
    Path | None,
    typer.Option(
        "--answer-key",
        help=say(
            "平台应答公钥文件（默认本机平台的）", "file with the hub's answer key (default: that of the hub here)"
        ),
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Access:
    """What was chosen on the command line."""

    profile: str | None
    key_file: Path | None
    server: str | None
    answer_key: Path | None

    @property
    def given(self) -> bool:
        """Whether anything was: of commands that work on the hub's machine without."""
        return any((self.profile, self.key_file, self.server, self.answer_key, os.environ.get(PROFILE_VARIABLE)))

    def settings(self) -> dict[str, Any]:
        """What a client is made with.

        Raises:
            BadParameter: two ways at once, or a file that cannot be read.
            ClientSettingError: nobody was named, or a file is missing or open to others.
            ProfileError: the profile is missing or incomplete.
        """
        from hub.client import ClientSettingError, Profile
        from hub.client.profile import open_to_others

        by_hand = [
            name
            for name, value in (
                ("--key-file", self.key_file),
                ("--server", self.server),
                ("--answer-key", self.answer_key),
            )
            if value is not None
        ]
        if self.profile and by_hand:
            raise typer.BadParameter(
                say(
                    f"配置已指明平台与密钥，不能与 {'、'.join(by_hand)} 同用",
                    f"a profile says hub and key; leave out {', '.join(by_hand)}",
                ),
                param_hint="--profile",
            )
        name = self.profile or (None if by_hand else os.environ.get(PROFILE_VARIABLE))
        if name:
            return {**Profile.load(name).settings(), "lang": LANG}
        here = Settings.from_environment()
        named = self.key_file or (Path(os.environ[KEY_VARIABLE]) if os.environ.get(KEY_VARIABLE) else None)
        key_file = named or here.caller_key
        if named is None and not key_file.exists():
            raise ClientSettingError(
                what="--profile",
                why=f"nobody is named who calls; give --profile (or {PROFILE_VARIABLE}), or --key-file",
                why_zh=f"未指明以何身份调用；请给出 --profile（或 {PROFILE_VARIABLE}），或 --key-file",
            )
        key = read_file(key_file, say("调用密钥", "caller key"))
        if open_to_others(key_file):
            raise ClientSettingError(
                what=str(key_file),
                why=f"other users of this machine can read it; close it: chmod 600 {key_file}",
                why_zh=f"本机其他用户可读取该文件；请收紧权限：chmod 600 {key_file}",
            )
        answer_key = self.answer_key or here.answer_key
        if self.answer_key is None and not answer_key.exists():
            raise ClientSettingError(
                what="--answer-key",
                why="the hub's answer key is not on this machine, so that no answer could be checked; name its file "
                "(get it over a channel you trust), or use --profile",
                why_zh="本机没有平台的应答公钥，无法核验应答；请指明其文件（须经可信渠道取得），或使用 --profile",
            )
        return {
            "base_url": self.server or f"http://{LOOPBACK}:{here.api_port}",
            "key": key,
            "verifier_key": read_file(answer_key, say("平台应答公钥", "the hub's answer key")),
            "lang": LANG,
        }

    @contextmanager
    def client(self) -> Iterator[Client]:
        """The client. Raises: as `settings`; ClientSettingError: address or key cannot be used."""
        from hub.client import Client

        with Client(**self.settings()) as client:
            yield client
