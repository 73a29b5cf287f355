"""Batches: many images looked up, image by image, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from sqlalchemy.orm import Session

from api.console.pages.lookup import brief
from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.dependencies import Cursor, JobsDep, ServicesDep, WorksDep
from api.http.routes.lookup_batches import (
    cancel_lookup_batch,
    create_lookup_batch,
    get_lookup_batch,
    get_lookup_findings,
    list_lookup_batches,
    retry_lookup_batch,
)
from attribution.actors import Scope, who
from attribution.answers import Verdict, read_answer
from attribution.cases import CaseKind
from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus, LookupItem, LookupKind, LookupOutcome
from attribution.desk import opening
from attribution.lookup import wording
from attribution.services import Services
from ingest.lookups import accept_works

router = APIRouter(prefix="/batches", route_class=PageRoute)

SHOWN = 20  # batches
IMAGES = 50  # of a batch
NAMED = 20  # works and artists that a batch shows
LEVELS = (0.05, 0.1, 0.2)  # false discovery rates to choose from

Level = Annotated[float, Query(gt=0, lt=1)]


@dataclass(frozen=True)
class Asked:
    """An image of a batch, and what became of it."""

    item: LookupItem
    answer: Mapping[str, object] | None
    picture: str | None  # where it is, below the root


@router.get("", dependencies=[needs(Scope.READ)])
def show_batches(request: Request, services: ServicesDep, cursor: Cursor = None) -> Response:
    """Ask for images, and show the batches there were."""
    batches = list_lookup_batches(services, cursor=cursor, limit=SHOWN)
    return page(request, "batches.html", batches=batches)


@router.post("", dependencies=[needs(Scope.LOOK_UP)])
def look_up_file(
    file: Annotated[UploadFile, File()],
    services: ServicesDep,
    jobs: JobsDep,
    works: WorksDep,
    request: Request,
) -> Response:
    """Look up what an archive has, or what is behind the URLs of a table; leads to the batch."""
    batch = create_lookup_batch(file, services, jobs, works, request, Response())
    return went(request, f"batches/{batch.id}")


@router.post("/works", dependencies=[needs(Scope.LOOK_UP)])
def look_up_works(
    request: Request,
    services: ServicesDep,
    jobs: JobsDep,
    works: WorksDep,
    ids: Annotated[str, Form(max_length=500_000)] = "",
) -> Response:
    """Look registered works up; leads to the batch."""
    named = ids.replace(",", " ").split()
    works(len(named))
    batch_id = accept_works(services, named)
    jobs.look_up(batch_id)
    return went(request, f"batches/{batch_id}")


@router.get("/{batch_id}", dependencies=[needs(Scope.READ)])
def show_batch(
    request: Request,
    batch_id: UUID,
    services: ServicesDep,
    outcome: LookupOutcome | None = None,
    verdict: Verdict | None = None,
    cursor: Cursor = None,
) -> Response:
    """Show how far a batch is, and what became of its images."""
    batch = get_lookup_batch(batch_id, services)
    with services.sessions() as session:
        found = queries.list_lookup_items(
            session,
            batch_id,
            outcomes=[outcome] if outcome else (),
            verdict=verdict,
            cursor=cursor,
            limit=IMAGES,
        )
        pictures = _pictures(session, batch.kind, [item for item, _ in found.items])
        asked = [
            Asked(
                item, brief(read_answer(row.answer)) if row else None, pictures.get(item.position)
            )
            for item, row in found.items
        ]
    return page(
        request,
        "batch.html",
        batch=batch,
        asked=asked,
        next=found.next,
        outcome=outcome,
        verdict=verdict,
        counted=_counted(services, batch_id),
        words=wording.VERDICTS,
    )


@router.get("/{batch_id}/counts", dependencies=[needs(Scope.READ)])
def show_counts(
    request: Request,
    batch_id: UUID,
    services: ServicesDep,
    outcome: LookupOutcome | None = None,
    verdict: Verdict | None = None,
) -> Response:
    """Show how many images of a batch came to what, so far."""
    batch = get_lookup_batch(batch_id, services)
    return page(
        request,
        "batch_counts.html",
        batch=batch,
        outcome=outcome,
        verdict=verdict,
        counted=_counted(services, batch_id),
        words=wording.VERDICTS,
    )


@router.get("/{batch_id}/together", dependencies=[needs(Scope.READ)])
def show_together(
    request: Request, batch_id: UUID, services: ServicesDep, level: Level = 0.1
) -> Response:
    """Show what the images of a batch say together."""
    found = get_lookup_findings(batch_id, services, level=level)
    return page(
        request, "batch_together.html", batch_id=batch_id, found=found, shown=NAMED, levels=LEVELS
    )


@router.post("/{batch_id}/case", dependencies=[needs(Scope.REVIEW)])
def open_case(
    request: Request,
    batch_id: UUID,
    services: ServicesDep,
    title: Annotated[str, Form(max_length=1_000)] = "",
) -> Response:
    """Open a case for the images that show or resemble registered works; leads to it."""
    new = opening.NewCase(kind=CaseKind.MATCH, title=title, batch=batch_id)
    opened = opening.open_case(services, new)
    return went(request, f"cases/{opened.case.id}")


@router.post("/{batch_id}/cancel", dependencies=[needs(Scope.LOOK_UP)])
def cancel(request: Request, batch_id: UUID, services: ServicesDep) -> Response:
    """Have a batch end after the image in hand."""
    cancel_lookup_batch(batch_id, services)
    return went(request, f"batches/{batch_id}")


@router.post("/{batch_id}/retry", dependencies=[needs(Scope.LOOK_UP)])
def retry(request: Request, batch_id: UUID, services: ServicesDep, jobs: JobsDep) -> Response:
    """Have a batch go on where it stopped."""
    retry_lookup_batch(batch_id, services, jobs)
    return went(request, f"batches/{batch_id}")


def _counted(services: Services, batch_id: UUID) -> Mapping[Verdict, int]:
    with services.sessions() as session:
        return queries.lookup_verdicts(session, batch_id)


def _pictures(session: Session, kind: LookupKind, items: Sequence[LookupItem]) -> Mapping[int, str]:
    """Return where pictures of images are, by position: of those that the caller may see."""
    if kind is LookupKind.WORKS:
        ids = {one.position: UUID(one.name) for one in items if one.attribution_id}
        rows = queries.artworks_by_id(session, list(ids.values()), status=ArtworkStatus.INDEXED)
        return {
            position: f"v1/artworks/{work}/thumbnail"
            for position, work in ids.items()
            if work in rows and rows[work].consent_display
        }
    if Scope.REVIEW not in who().scopes:
        return {}
    answers = {one.position: one.attribution_id for one in items if one.attribution_id}
    kept = queries.answers_with_image(session, list(answers.values()))
    return {
        position: f"console/compare/{answer}/image?px=192"
        for position, answer in answers.items()
        if answer in kept
    }
