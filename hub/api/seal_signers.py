"""Persons who sign remotely over HTTP: their keys, and what they are asked to sign (云签).

What a step does is `hub.seals`'s; who acts is as in `hub.api.seals`.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response  # noqa: TC002 - FastAPI reads annotations

from hub.api import doors, offices
from hub.api.applications import sees_all
from hub.api.bodies import Body
from hub.api.seal_shapes import ApprovalShape, ApprovalsShape, EnrolledShape, SignersShape, StampedShape, body_shape
from hub.api.seals import ACTING, MEMBERS, is_office, stamped
from hub.api.shapes import documented

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hub.api.bodyshapes import BodyShape
    from hub.seals.signers import Enrolled


def add_to(app: FastAPI) -> None:
    """Hang the routes into *app*, before `/v1/seals/{code}`, which would take "signers" for a code."""
    _add_signers(app)
    _add_approvals(app)


def _add_signers(app: FastAPI) -> None:
    writing = documented(400, 401, 403, 404, 409, 413, 415, 422, 503)

    @app.get(
        "/v1/seals/signers",
        response_model=SignersShape,
        responses=documented(401, 403, 503),
        openapi_extra=doors.KEYED,
    )
    def signers(request: Request) -> Response:
        """The persons of the caller's department who sign remotely; all of them for the office and auditors."""
        actor = doors.actor(request, *MEMBERS)
        return doors.answer(
            request, {"items": offices.seals(request).signers(None if sees_all(request) else actor.department)}
        )

    @app.post(
        "/v1/seals/signers",
        response_model=EnrolledShape,
        status_code=201,
        responses=writing,
        openapi_extra=doors.KEYED,
    )
    async def add(request: Request) -> Response:
        """Register a person (a post's pseudonym) with a key of their own under a PIN."""
        return await doors.run(_add_signer, request, await doors.read_object(request))

    @app.post(
        "/v1/seals/signers/{person}:renew",
        response_model=EnrolledShape,
        status_code=201,
        responses=writing,
        openapi_extra=doors.KEYED,
    )
    async def renew(request: Request, person: str) -> Response:
        """Another key for a lost PIN, by another person: the old certificate is revoked, its seals are disabled."""
        return await doors.run(_renew_signer, request, person, await doors.read_object(request))


def _add_approvals(app: FastAPI) -> None:
    writing = documented(400, 401, 403, 404, 409, 413, 415, 422, 503)

    @app.get(
        "/v1/seal-approvals",
        response_model=ApprovalsShape,
        responses=documented(401, 403, 503),
        openapi_extra=doors.KEYED,
    )
    def waiting(request: Request) -> Response:
        """The requests for remote signatures to the caller."""
        actor = doors.actor(request, *ACTING)
        return doors.answer(request, {"items": offices.seals(request).approvals(str(actor))})

    @app.post(
        "/v1/seal-approvals",
        response_model=ApprovalShape,
        status_code=201,
        responses=writing,
        openapi_extra=doors.KEYED,
    )
    async def ask(request: Request) -> Response:
        """Ask the keeper of a seal for a signature; open for ten minutes."""
        return await doors.run(_ask, request, await doors.read_object(request))

    @app.post(
        "/v1/seal-approvals/{id_}:approve", response_model=StampedShape, responses=writing, openapi_extra=doors.KEYED
    )
    async def approve(request: Request, id_: str) -> Response:
        """Prove the wish by `pin` and `password`, and sign `document`. Five wrong proofs lock the signer."""
        return await doors.run(_approve, request, id_, await doors.read_object(request))

    @app.post(
        "/v1/seal-approvals/{id_}:decline", response_model=ApprovalShape, responses=writing, openapi_extra=doors.KEYED
    )
    async def decline(request: Request, id_: str) -> Response:
        """Say no."""
        return await doors.run(_decline, request, id_, await doors.read_object(request))


def _add_signer(request: Request, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    body = Body(members).done(("person", "pin"))
    person, pin = body.text("person", None), body.text("pin", None)
    return _enrolled(request, offices.seals(request).add_signer(person, pin, by=actor, office=is_office(request)))


def _renew_signer(request: Request, person: str, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    body = Body(members).done(("pin", "ground"))
    pin, ground = body.text("pin", None), body.text("ground", None)
    done = offices.seals(request).renew_signer(person, pin, by=actor, ground=ground, office=is_office(request))
    return _enrolled(request, done)


def _enrolled(request: Request, done: Enrolled) -> Response:
    plain = {
        "person": done.person,
        "number": done.number,
        "certificate": base64.b64encode(done.certificate).decode(),
        "otp_uri": done.otp_uri,
    }
    return doors.answer(request, plain, status=201)


def _ask(request: Request, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    body = Body(members).done(("seal", "document", "purpose", "title"))
    asked = offices.seals(request).ask(
        body.text("seal", None),
        body.octets("document"),
        purpose=body.text("purpose", None),
        by=actor,
        title=body.text("title"),
        office=is_office(request),
    )
    return doors.answer(request, asked, status=201)


def _approve(request: Request, id_: str, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    body = Body(members).done(("document", "pin", "password"))
    done = offices.seals(request).approve_and_sign(
        id_,
        body.octets("document"),
        by=actor,
        pin=body.text("pin", None),
        password=body.text("password", None),
    )
    return stamped(request, done)


def _decline(request: Request, id_: str, members: dict[str, Any]) -> Response:
    actor = doors.actor(request, *ACTING)
    Body(members).done(())
    return doors.answer(request, offices.seals(request).decline(id_, by=actor))


BODIES = {
    "/v1/seals/signers": body_shape(("person", "pin")),
    "/v1/seals/signers/{person}:renew": body_shape(("pin", "ground")),
    "/v1/seal-approvals": body_shape(("seal", "document", "purpose"), ("title",)),
    "/v1/seal-approvals/{id_}:approve": body_shape(("document", "pin", "password")),
    "/v1/seal-approvals/{id_}:decline": body_shape(()),
}
BODY_STEPS: dict[str, dict[str, BodyShape]] = {}
