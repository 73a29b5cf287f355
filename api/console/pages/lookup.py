"""Look up: whose work an image draws on; one image or many, and earlier answers."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import partial
from threading import BoundedSemaphore
from typing import IO, Annotated
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from api.console.pages.opening import Opening
from api.console.permits import permitted
from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.dependencies import ONE_WORK, Cursor, ServicesDep
from api.http.routes.attributions import ask_anew
from api.http.uploads import again, read_upload
from api.reports.decided import decided_about
from api.reports.pages import make_page
from api.reports.telling import tell
from attribution.actors import Scope
from attribution.answers import Attribution, read_answer
from attribution.catalogue import queries
from attribution.catalogue.names import visible
from attribution.catalogue.queries import AnswersWanted
from attribution.custody import How, Purpose
from attribution.errors import BadInput
from attribution.images import CheckedImage, showing, thumbnail
from attribution.lookup import wording
from attribution.lookup.subjects import Obtained, keeping
from attribution.services import Services
from ingest.fetching import Fetcher

router = APIRouter(prefix="/lookup", route_class=PageRoute)

FETCHES, FETCH_S = BoundedSemaphore(4), 10  # of URLs at once; seconds that one may take
SHOWN = 20  # earlier answers a page
THUMBNAIL_PX = 192


@router.get("", dependencies=[needs(Scope.LOOK_UP)])
def show_lookup(request: Request, services: ServicesDep, cursor: Cursor = None) -> Response:
    """Ask for an image, and show what was answered before."""
    with services.sessions() as session:
        found = queries.list_attributions(session, AnswersWanted(), cursor=cursor, limit=SHOWN)
        earlier = [brief(read_answer(row.answer)) for row in found.items]
    return page(request, "lookup.html", earlier=earlier, next=found.next, purposes=list(Purpose))


@router.post("", dependencies=[needs(Scope.LOOK_UP), ONE_WORK])
def look_up(
    request: Request,
    services: ServicesDep,
    image: Annotated[UploadFile | None, File()] = None,
    url: Annotated[str, Form(max_length=2_000)] = "",
    purpose: Annotated[Purpose | None, Form()] = None,
    *,
    is_one_of_many: Annotated[bool, Form()] = False,
) -> Response:
    """Look an image up: what was sent, or what is behind a URL.

    Leads to the answer; one of many images is answered with a card.
    """
    if image is not None and image.size:
        file, name = image.file, visible(image.filename or "")
        obtained = Obtained(How.UPLOAD, purpose)
    elif url.strip():
        with permitted(FETCHES, "other images are being fetched"):
            fetched = Fetcher(services.limits.max_bytes, at_most_s=FETCH_S).fetch(url.strip())
        file, name = io.BytesIO(fetched.data), fetched.url
        obtained = Obtained(How.URL, purpose, source=fetched.said)
    else:
        raise BadInput("no image was given: choose one, drop it, paste it, or give its URL")
    checked, answer = answered(services, file, obtained)
    if not is_one_of_many:
        return went(request, f"lookup/{answer.id}")
    with showing():
        picture = thumbnail(checked.rgb, max_px=THUMBNAIL_PX)
    return page(request, "lookup_card.html", one=brief(answer), name=name, picture=picture)


def answered(
    services: Services, file: IO[bytes], obtained: Obtained
) -> tuple[CheckedImage, Attribution]:
    """Look up an image that came with a form; returns it, and the answer."""
    checked = read_upload(file, services.limits)
    keep = keeping(services, checked, partial(again, file), obtained)
    return checked, services.attributor.attribute(checked, also=keep)


def brief(answer: Attribution) -> Mapping[str, object]:
    """Return an answer in a sentence, for a list of them."""
    return {
        "id": answer.id,
        "at": answer.created_at,
        "sha256": answer.image_sha256,
        "verdict": wording.VERDICTS[answer.verdict],
        "weight": wording.WEIGHTS[answer.verdict],
        "headline": wording.headline(answer),
    }


@router.get("/{attribution_id}", dependencies=[needs(Scope.READ)])
def show_answer(request: Request, attribution_id: UUID, services: ServicesDep) -> Response:
    """Show an answer: the sentence, what was found lane by lane, the works it rests on."""
    answer = services.attributor.recall(attribution_id)
    told = tell([make_page(services, "The image", None, answer, action="view")], None).answers[0]
    sections = {one.name: one for one in (*told.front, *told.rest)}
    return page(
        request,
        "answer.html",
        answer=answer,
        told=told,
        sections=sections,
        opening=Opening.of(services, answer),
        decided=decided_about(services, answer.image_sha256),
    )


@router.post("/{attribution_id}/again", dependencies=[needs(Scope.LOOK_UP), ONE_WORK])
def look_up_again(request: Request, attribution_id: UUID, services: ServicesDep) -> Response:
    """Ask today, with the image that is kept."""
    found = ask_anew(attribution_id, services, request, Response())
    return went(request, f"lookup/{found.answer.id}")
