"""`zhengtong licence kinds …`: the catalogue of licence kinds in force, the reference catalogue, what differs.

Reading and comparing catalogues is `licence.kinds`'s.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.language import LANG, say
from hub.cli.output import NOT_FOUND, OK, fail, note, out, print_json, table
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from licence.kinds import KindChange

kinds = typer.Typer(rich_markup_mode=None, help=say("证照目录", "The catalogue of kinds"))

Json = Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))]
_FILE = say("证照目录文件（.yaml）", "a catalogue of kinds (.yaml)")


@kinds.callback(invoke_without_command=True)
def list_(
    context: typer.Context,
    *,
    reference: Annotated[
        bool,
        typer.Option(
            "--reference",
            help=say(
                "全国参考目录，而非本市现行目录", "the reference catalogue of the country, not the one in force here"
            ),
        ),
    ] = False,
    as_json: Json = False,
) -> int:
    """List the kinds of the catalogue in force, or of the reference catalogue, which names no issuer or resource."""
    if context.invoked_subcommand is not None:
        return OK
    from licence.kinds import load, load_reference

    found = load_reference() if reference else load(Settings.from_environment().kinds)
    if as_json:
        print_json(
            [
                {
                    "code": k.code,
                    "name": k.name,
                    "name_en": k.name_en,
                    "authority": k.authority,
                    "issuer": k.issuer,
                    "resource": k.resource,
                }
                for k in found
            ]
        )
        return OK
    headings = [say("代码", "Code"), say("名称", "Name"), say("英文", "English")]
    if reference:
        headings += [say("定义机构", "Authority"), say("颁发机构级别", "Issuing levels")]
        rows = [[k.code, k.name, k.name_en, k.authority, "、".join(k.issuing_levels)] for k in found]
    else:
        headings += [say("颁发部门", "Issuer"), say("来源资源", "Resource")]
        rows = [[k.code, k.name, k.name_en, k.issuer, k.resource] for k in found]
    table("", headings, rows)
    return OK


@kinds.command("diff", help=say("比较两份证照目录", "Compare two catalogues, in words"))
def diff(
    old: Annotated[Path, typer.Argument(metavar=say("旧", "OLD"), help=_FILE, show_default=False)],
    new: Annotated[Path, typer.Argument(metavar=say("新", "NEW"), help=_FILE, show_default=False)],
    *,
    as_json: Json = False,
) -> int:
    """Every change, the heaviest first."""
    from catalog.changes import Weight
    from licence.errors import KindsUnreadableError
    from licence.kinds import diff as changes_of
    from licence.kinds import load, version_of

    for path in (old, new):
        if not path.exists():
            fail(KindsUnreadableError(path=path, detail=say("没有此文件", "no such file")), as_json=as_json)
            return NOT_FOUND
    before, after = (load(path, sourced=False) for path in (old, new))
    changes = changes_of(before, after)
    if as_json:
        counts = Counter(change.weight for change in changes)
        print_json(
            {
                "old": version_of(before),
                "new": version_of(after),
                "counts": {weight.value: counts[weight] for weight in Weight},
                "changes": [_plain(change) for change in changes],
            }
        )
    else:
        _tell(changes)
    return OK


def _plain(change: KindChange) -> dict[str, str]:
    return {
        "code": change.code,
        "weight": str(change.weight),
        "kind": change.kind,
        "field": change.field,
        "en": change.text("en"),
        "zh": change.text("zh"),
    }


def _tell(changes: Sequence[KindChange]) -> None:
    from catalog.changes import WEIGHTS, Weight

    for weight in Weight:
        for change in changes:
            if change.weight is weight:
                en, zh = WEIGHTS[weight]
                out.print(f"{say(f'【{zh}】', f'{en}: ')}{change.text(LANG)}", markup=False)
    if not changes:
        note(say("两份目录相同。", "The two are the same."))
