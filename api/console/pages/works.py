"""Works: everything that is recorded of one, corrections, and how it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from pydantic import BeforeValidator, Field

from api.changes import Corrected, Described
from api.console.pages.artists import LATEST, STATED
from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.conditions import Editing, EditingDep, Reading
from api.http.dependencies import JobsDep, ServicesDep
from api.http.routes.artworks import Moved, correct_artwork, get_artwork, move_artwork
from api.http.routes.changes import list_changes
from api.http.routes.consents import list_consents
from api.http.routes.withdrawals import Requested, create_withdrawal
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus
from attribution.catalogue.queries import ChangesWanted, ConsentsWanted
from attribution.lookup.sights import may_see, registered

router = APIRouter(prefix="/works", route_class=PageRoute)


def _apart(tags: Sequence[str]) -> list[str]:
    return [tag for one in tags for tag in one.splitlines()]


class Filled(Described):
    """A form that was filled in with what is said of a work; fields left empty are emptied."""

    tags: Annotated[list[str], BeforeValidator(_apart)] = Field([], max_length=500)
    etag: str = Field(max_length=100)  # of the work as it was shown

    @property
    def corrected(self) -> Corrected:
        """What is said of every field."""
        return Corrected(**self.model_dump(exclude={"etag"}))


@router.get("/{artwork_id}", dependencies=[needs(Scope.READ)])
def show_work(request: Request, artwork_id: UUID, services: ServicesDep) -> Response:
    """Show a work."""
    response = Response()
    work = get_artwork(artwork_id, services, Reading(response))
    with services.sessions() as session:
        row = queries.artwork_by_id(session, artwork_id)
    is_there = row.status is not ArtworkStatus.WITHDRAWN
    return page(
        request,
        "work.html",
        work=work,
        etag=response.headers["etag"],
        is_there=is_there,
        is_shown=is_there and row.consent_display,
        is_evidence=is_there and may_see(row) and services.store.has_original(row.sha256),
        consents=list_consents(services, ConsentsWanted(artwork_id=artwork_id), limit=LATEST),
        changes=list_changes(services, ChangesWanted(artwork_id=artwork_id), limit=LATEST),
        purposes=STATED,
    )


@router.get("/{artwork_id}/picture", dependencies=[needs(Scope.READ)])
def show_picture(artwork_id: UUID, services: ServicesDep) -> Response:
    """Return the picture of a work; one that is evidence alone is noted in the audit."""
    picture = registered(services, artwork_id)
    return Response(picture, media_type="image/webp", headers={"cache-control": "no-store"})


@router.post("/{artwork_id}/correct", dependencies=[needs(Scope.OPERATE)])
def correct(
    request: Request,
    artwork_id: UUID,
    asked: Annotated[Filled, Form()],
    services: ServicesDep,
) -> Response:
    """Take over what was filled in, unless the work has changed since it was shown."""
    correct_artwork(artwork_id, asked.corrected, services, Editing(Response(), asked.etag))
    return went(request, f"works/{artwork_id}")


@router.post("/{artwork_id}/move", dependencies=[needs(Scope.OPERATE)])
def move(
    request: Request,
    artwork_id: UUID,
    asked: Annotated[Moved, Form()],
    services: ServicesDep,
    editing: EditingDep,
) -> Response:
    """Give a work to another artist."""
    move_artwork(artwork_id, asked, services, editing)
    return went(request, f"works/{artwork_id}")


@router.post("/{artwork_id}/withdraw", dependencies=[needs(Scope.OPERATE)])
def withdraw_work(
    request: Request,
    artwork_id: UUID,
    reason: Annotated[str, Form(min_length=1, max_length=2_000)],
    services: ServicesDep,
    jobs: JobsDep,
) -> Response:
    """Forget a work; leads to the receipt."""
    asked = Requested(what=str(artwork_id), reason=reason)
    receipt = create_withdrawal(asked, services, jobs, request, Response())
    return went(request, f"receipts/{receipt.id}")
