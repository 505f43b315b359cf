"""Which fields of a licence a department may ask a wallet for: those its matter needs, and no more.

The responsibility list says what a matter needs of a resource (事项用数); a licence's face shows fields of the resource
it is issued from. What says nothing of the holder beyond the licence itself may always be asked with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.wallets.errors import AskFieldsError, AskKindError, AskMatterError
from licence.wallet.vp import ClaimQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.model import Matter, ResponsibilityList
    from licence.model import LicenceKind

# Of the licence, not of its holder: its name, kind, identifier, issuer and days.
OF_THE_LICENCE: Final = ("ZZMC", "ZZLXDM", "ZZBS", "ZZBFJG", "ZZBFJGDM", "ZZBFRQ", "ZZYXQQSRQ", "ZZYXQJZRQ")


def matter_of(list_: ResponsibilityList, matter: str, department: str) -> Matter:
    """The matter with this code, which is the department's own.

    Raises:
        AskMatterError: it is not, or there is none.
    """
    found = list_.matters_by_code.get(matter)
    if found is None or found.department != department:
        raise AskMatterError(matter=matter[:100], department=department)
    return found


def allowed(list_: ResponsibilityList, matter: Matter, kind: LicenceKind) -> tuple[str, ...]:
    """The claims of a licence of *kind* that *matter* may ask for; none: it has nothing to do with the kind.

    A matter that needs data of the kind's resource, or that the catalogue relates to the kind (关联事项), may ask for
    the licence itself and for yes-or-no facts; a field of the face, the holder's name and number only where the list
    names the resource's field among the matter's needs.
    """
    needs = list_.needs_of(matter.code, kind.resource)
    if not needs and not {matter.code, matter.name} & set(kind.matters):
        return ()
    needed = {name for need in needs for name in need.fields}
    holder = [
        name for name, source in (("CZZT", kind.holder_name_field), ("CZZTDM", kind.holder_field)) if source in needed
    ]
    face = [field.name for field in kind.face if field.field in needed]
    return (*OF_THE_LICENCE, *kind.predicates, *holder, *face)


def claims_for(
    list_: ResponsibilityList, matter: Matter, kind: LicenceKind, names: Sequence[str]
) -> tuple[ClaimQuery, ...]:
    """The query for the claims called *names*.

    Raises:
        AskKindError: the matter has nothing to do with the kind.
        AskFieldsError: it does not need all of them; the message says which it may ask for.
    """
    may = allowed(list_, matter, kind)
    if not may:
        raise AskKindError(matter=matter.code, kind=kind.name)
    beyond = [name for name in names if name not in may]
    if beyond:
        told = ", ".join(f"`{name[:64]}`" for name in beyond)
        raise AskFieldsError(matter=matter.code, kind=kind.name, fields=told, allowed=", ".join(may))
    return tuple(ClaimQuery(name) for name in names)
