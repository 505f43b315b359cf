"""Lists, grants and requests as Hypothesis makes them: every list is one that loading would accept."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from catalog.decide import AccessRequest, Grant
from catalog.expressions import Emptiness, FieldName, Rule
from catalog.identifiers import USCC_ALPHABET, make_uscc, org_code_check_char
from catalog.model import (
    EVERYONE,
    Cadence,
    Check,
    CodeList,
    Deletion,
    Department,
    DepartmentKind,
    Disposition,
    Domain,
    Drift,
    DriftPolicy,
    Duty,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    Mask,
    Matter,
    Need,
    Prohibition,
    QualityKind,
    QualityRule,
    ResourceFormat,
    Responsibility,
    ResponsibilityList,
    ShareMethod,
    ShareType,
    SourceRef,
    Theme,
)

T0 = datetime(2024, 1, 1, tzinfo=UTC)

# Rare name characters, what YAML and Excel treat as special, and what looks like something else than text.
_AWKWARD = "甲乙㛃䶮𬱖𠅤龘𰻝（）、，。；: #&*!|>'\"%@`{}[],?-=+/＝;\\\n\t_~<x0041🙂é\u2028\u00a0\u200b"
_LOOKALIKES = (
    "null",
    "true",
    "是",
    "0012",
    "1e5",
    "=1+1",
    "'=1+1",
    "''@x",
    "'",
    "＝1",
    "#N/A",
    "2020-01-01",
    "_x0041_",
    "a; b\\n",
    "- x",
    "合计",
    "~",
)


def texts(min_size: int = 0) -> st.SearchStrategy[str]:
    free = st.text(st.sampled_from(_AWKWARD), max_size=12).map(str.strip)
    return (free | st.sampled_from(_LOOKALIKES)).filter(lambda text: len(text) >= min_size)


codes = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,8}", fullmatch=True)
names = st.from_regex(r"[a-z甲乙][a-z0-9_]{0,6}", fullmatch=True)
days = st.dates(date(1950, 1, 1), date(2100, 1, 1))


@st.composite
def usccs(draw):
    org = draw(
        st.text(
            string.digits + string.ascii_uppercase.translate({ord(c): None for c in "IOSVZ"}), min_size=8, max_size=8
        )
    )
    head = (
        draw(st.sampled_from(USCC_ALPHABET[1:]))
        + draw(st.sampled_from("129"))
        + draw(st.text(string.digits, min_size=6, max_size=6))
    )
    return make_uscc(head + org + org_code_check_char(org))


@st.composite
def field_types(draw):
    kind = draw(st.sampled_from(FieldKind))
    if kind is FieldKind.STRING:
        return FieldType(kind, draw(st.integers(0, 5000)))
    if kind is FieldKind.DECIMAL:
        precision = draw(st.integers(1, 38))
        return FieldType(kind, precision, draw(st.integers(0, precision)))
    return FieldType(kind)


def tuples(items: st.SearchStrategy, max_size: int = 3, min_size: int = 0) -> st.SearchStrategy[tuple]:
    return st.lists(items, max_size=max_size, min_size=min_size).map(tuple)


@st.composite
def code_lists(draw):
    return tuple(
        CodeList(
            code,
            draw(texts(1)),
            tuple((value, draw(texts(1))) for value in draw(st.lists(texts(1), min_size=1, max_size=3, unique=True))),
        )
        for code in draw(st.lists(codes, max_size=2, unique=True))
    )


@st.composite
def quality_rules(draw, names: list[str], targets: list[str]):
    kinds = [kind for kind in QualityKind if kind is not QualityKind.REFERENCE or targets]
    kind = draw(st.sampled_from(kinds))
    bounded = kind not in (QualityKind.TIMELINESS, QualityKind.VOLUME)
    of_rows = kind in (QualityKind.VOLUME, QualityKind.VOLUME_BAND)
    field = "" if of_rows else draw(st.sampled_from(names))
    target = draw(st.sampled_from(targets)) if kind is QualityKind.REFERENCE else ""
    if kind is QualityKind.CONSISTENCY:
        spaces = draw(st.sampled_from(["", "  "]))
        target = f"{Rule(Emptiness(FieldName(field), draw(st.booleans())))}".replace(" is ", f" {spaces}IS ")
    least = 0.001 if kind is QualityKind.VOLUME_BAND else 0
    return QualityRule(kind, field, draw(st.floats(least, 1 if bounded else 1e9).map(abs)), target)


@st.composite
def list_fields(draw, ground: str, listed: tuple[CodeList, ...]):
    found = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    keys = draw(st.lists(st.booleans(), min_size=len(found), max_size=len(found)))
    fields = []
    for index, name in enumerate(found):
        type_ = draw(field_types())
        share_type = draw(st.sampled_from(ShareType))
        condition = draw(texts(1 if share_type is ShareType.NOT_SHARED and not ground else 0))
        code_list = draw(st.none() | st.sampled_from(listed)) if listed else None
        fields.append(
            Field(
                name,
                draw(texts(1)),
                type_,
                key=keys[index] or not any(keys),
                nullable=draw(st.booleans()),
                lookup=draw(st.booleans()),
                grade=draw(st.integers(1, 4)),
                mask=draw(st.sampled_from(Mask)),
                share_type=share_type,
                share_condition=condition,
                cadence=draw(st.none() | st.sampled_from(Cadence)),
                codes=tuple(value for value, _ in code_list.items) if code_list else draw(tuples(texts(1))),
                code_list=code_list.code if code_list else "",
                pattern=draw(st.sampled_from(["", "[0-9]{4};\\d+", "a|b"])),
                check=draw(st.none() | st.sampled_from(Check)) if type_.kind is FieldKind.STRING else None,
                aliases=tuple(f"别名{index}{a}" for a in draw(tuples(texts(1), 2))),
            )
        )
    return tuple(fields)


@st.composite
def landings(draw, field: Field, structural: set[str]):
    """The field with a mask that it may bear as it is read."""
    ruled = field.codes or field.pattern or field.check or field.type.kind is not FieldKind.STRING
    short = 0 < field.type.length < 64
    if field.name in structural or (field.key and (ruled or short)):
        return field
    fit = [Mask.NONE]
    if not field.key and field.nullable:
        fit.append(Mask.NULL)
    if not ruled and not short:
        fit.append(Mask.HASH)
    if not ruled and not field.key and not field.lookup:
        fit += [Mask.SURNAME, Mask.COUNTY, Mask.REDACT]
    return replace(field, landing=draw(st.sampled_from(fit)))


@st.composite
def resources(draw, code: str, departments: list[str], all_codes: list[str], listed: tuple[CodeList, ...]):
    share_type = draw(st.sampled_from(ShareType))
    ground = draw(texts(1 if share_type is ShareType.NOT_SHARED else 0))
    fields = draw(list_fields(ground, listed))
    disposition = draw(st.sampled_from(Disposition))
    field_name = st.sampled_from([field.name for field in fields])
    options = draw(st.dictionaries(st.text(max_size=4).filter(bool), st.text(max_size=6), max_size=2))
    deleted = draw(st.just("") | field_name)
    form = draw(st.sampled_from(ResourceFormat))
    cursor = draw(field_name if disposition is Disposition.MERGE else st.just("") | field_name)
    region = draw(st.just("") | field_name)
    fields = tuple(draw(landings(field, {cursor, deleted, region})) for field in fields)
    keeps_all = disposition in (Disposition.APPEND, Disposition.SCD2)
    return InformationResource(
        code=code,
        name=draw(texts(1).filter(lambda t: not t.endswith(("系统", "平台")))),
        name_en=draw(texts()),
        provider=draw(st.sampled_from(departments)),
        abstract=draw(texts(1)),
        format=form,
        share_type=share_type,
        share_condition=draw(texts()),
        share_ground=ground,
        share_method=ShareMethod.SERVICE,
        cadence=draw(st.sampled_from(Cadence)),
        open=draw(st.booleans()),
        published_on=draw(days),
        disposition=disposition,
        source=SourceRef(
            system=draw(texts(1)),
            object=draw(texts(1)),
            cursor_field=cursor,
            deleted_field=deleted,
            deleted_value=draw(texts(1 if deleted else 0)),
            options=tuple(sorted(options.items())),
        ),
        fields=fields,
        related=draw(tuples(st.sampled_from(all_codes))),
        error_budget=draw(st.floats(0, 1).map(abs)),
        classification=draw(tuples(texts(1), 4)),
        theme=draw(st.none() | st.sampled_from(Theme)),
        aliases=draw(tuples(texts(1))),
        region_field=region,
        deletion=Deletion.HARD if keeps_all else draw(st.sampled_from(Deletion)),
        error_limit=draw(st.integers(0, 10**12 - 1)),
        drift=draw(
            st.lists(
                st.tuples(st.sampled_from(Drift), st.sampled_from(DriftPolicy)),
                max_size=3,
                unique_by=lambda pair: pair[0],
            ).map(tuple)
        ),
        quality=draw(tuples(quality_rules([f.name for f in fields], [f"{code}.{f.name}" for f in fields]), 2)),
    )


@st.composite
def needs(draw, matters: list[str], resource: InformationResource):
    return Need(
        draw(st.sampled_from(matters)),
        resource.code,
        draw(tuples(st.sampled_from([field.name for field in resource.fields]), min_size=1)),
        draw(tuples(st.sampled_from(["query", "verify", "batch", "subscribe"]), min_size=1)),
        draw(texts()),
    )


@st.composite
def prohibitions(draw, resource: InformationResource, consumers, purposes):
    return Prohibition(
        resource.code,
        draw(consumers),
        draw(purposes),
        draw(texts(1)),
        draw(tuples(st.sampled_from([field.name for field in resource.fields]))),
    )


@st.composite
def lists(draw):
    departments = draw(st.lists(codes, min_size=1, max_size=3, unique=True))
    matters = draw(st.lists(codes, max_size=3, unique=True))
    found = draw(st.lists(codes, max_size=3, unique=True))
    consumers = tuples(st.sampled_from([*departments, EVERYONE]), min_size=1)
    purposes = tuples(st.sampled_from([*matters, EVERYONE]), min_size=1)
    listed = draw(code_lists())
    described = tuple(draw(resources(code, departments, found, listed)) for code in found)
    any_resource = st.sampled_from(described)
    return ResponsibilityList(
        city=draw(texts(1)),
        title=draw(texts(1)),
        year=draw(st.integers(1949, 2999)),
        batch=draw(st.integers(1, 999)),
        departments=tuple(
            Department(
                code,
                draw(texts(1)),
                draw(texts()),
                draw(usccs()),
                departments[index - 1] if index and draw(st.booleans()) else "",
                draw(tuples(texts(1))),
                draw(texts()),
                draw(st.none() | st.sampled_from(DepartmentKind)),
                draw(tuples(st.tuples(st.sampled_from(Duty), texts(1)))),
            )
            for index, code in enumerate(departments)
        ),
        resources=described,
        responsibilities=tuple(
            Responsibility(
                resource=draw(st.sampled_from(found)),
                provider=draw(st.sampled_from(departments)),
                consumers=draw(consumers),
                purposes=draw(purposes),
                ground=draw(texts(1)),
                method=ShareMethod.SERVICE,
                cadence=draw(st.sampled_from(Cadence)),
                deadline=draw(days),
                domain=draw(st.sampled_from(Domain)),
                year=draw(st.just(0) | st.integers(1949, 2999)),
                batch=draw(st.just(0) | st.integers(1, 999)),
            )
            for _ in range(draw(st.integers(0, 3)) if found else 0)
        ),
        matters=tuple(
            Matter(
                code,
                draw(texts(1)),
                draw(texts()),
                draw(st.sampled_from(departments)),
                *draw(st.just((False, "")) | texts(1).map(lambda ground: (True, ground))),
            )
            for code in matters
        ),
        office=draw(st.sampled_from(["", *departments])),
        needs=draw(tuples(any_resource.flatmap(lambda r: needs(matters, r)), 2)) if matters and described else (),
        prohibitions=draw(tuples(any_resource.flatmap(lambda r: prohibitions(r, consumers, purposes)), 2))
        if described
        else (),
        code_lists=listed,
    )


# For decisions: a small world in which most things fit together and any of them may be off.

NAMES = ("id", "name", "phone", "secret", "ghost")
DEPARTMENTS = ("D1", "D2", "Dx")
MATTERS = ("M1", "M2", "Mx", "*")


@st.composite
def small_grants(draw, id_: str):
    starts = T0 + timedelta(days=draw(st.integers(-2, 1)))
    return Grant(
        id=id_,
        consumer=draw(st.sampled_from(DEPARTMENTS)),
        resource="R1",
        fields=draw(tuples(st.sampled_from(NAMES), 5)),
        masks=draw(tuples(st.tuples(st.sampled_from(NAMES), st.sampled_from(Mask)), 3)),
        purposes=draw(tuples(st.sampled_from(MATTERS), 3)),
        actions=draw(tuples(st.sampled_from(["query", "verify"]), 2)),
        starts=starts,
        expires=starts + timedelta(days=draw(st.integers(0, 4))),
        list_version="",
        ground="",
        revoked_at=draw(st.none() | st.just(T0) | st.just(T0 + timedelta(days=1))),
    )


@st.composite
def grant_sets(draw):
    return [draw(small_grants(f"G{index}")) for index in range(draw(st.integers(0, 4)))]


@st.composite
def small_requests(draw):
    return AccessRequest(
        consumer=draw(st.sampled_from(DEPARTMENTS)),
        resource=draw(st.sampled_from(["R1", "R1", "R1", "R2", "R3"])),
        action=draw(st.sampled_from(["query", "query", "verify", "copy"])),
        fields=draw(st.just(()) | tuples(st.sampled_from(NAMES), 3)),
        lookup=draw(st.just(("id",)) | tuples(st.sampled_from(NAMES), 2)),
        purpose=draw(st.sampled_from(["M1", "M1", "M2", "Mx", "", None, "*"])),
        grant=draw(st.none() | st.sampled_from(["G0", "G1"])),
    )
