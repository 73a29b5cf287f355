"""Generate: pictures from words, each with what it resembles and what the artists say of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response, UploadFile
from pydantic import ConfigDict

from api.console.pages.lookup import answered
from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.dependencies import Cursor, JobsDep, ServicesDep, WorksDep
from api.http.routes.generations import (
    PictureOut,
    Wanted,
    cancel_generation,
    create_generation,
    get_generation,
    list_generations,
    why_unseen,
)
from api.reports.pages import make_page
from api.reports.telling import Section, Told, tell
from attribution.actors import Scope, who
from attribution.custody import How
from attribution.generation import generator, studio
from attribution.generation.recovery import SAID
from attribution.generation.studio import Named, named_in, not_to_be_named
from attribution.images import read_credentials
from attribution.lookup.subjects import Obtained
from attribution.services import Services

router = APIRouter(prefix="/generate", route_class=PageRoute)

SHOWN = 20  # requests


class WantedByForm(Wanted):
    """What is to be drawn; in a form everything is text, and what is left empty is not said."""

    model_config = ConfigDict(strict=False)

    image: UploadFile | None = None  # to make them from


@dataclass(frozen=True)
class Shown:
    """One picture of a request, and what is said of it."""

    number: int
    picture: PictureOut
    unseen: str | None  # why it is not handed out
    answer: Told | None
    exhibits: Section | None  # the works that it rests on
    unnamed: str | None  # who must not be credited
    credentials: str | None


@router.get("", dependencies=[needs(Scope.READ)])
def show_generate(request: Request, services: ServicesDep, cursor: Cursor = None) -> Response:
    """Ask for pictures, and show the requests there were."""
    generations = list_generations(services, cursor=cursor, limit=SHOWN)
    return page(
        request,
        "generate.html",
        generations=generations,
        model=services.settings.generator,
        lora=services.settings.generator_lora,
        limits=_limits(),
    )


@router.post("", dependencies=[needs(Scope.GENERATE)])
def draw(
    wanted: Annotated[WantedByForm, Form()],
    services: ServicesDep,
    jobs: JobsDep,
    works: WorksDep,
    request: Request,
) -> Response:
    """Have pictures drawn, from an image that came, if one did: it is looked up first."""
    if wanted.image is not None and wanted.image.size:
        who().require(Scope.LOOK_UP)
        works(1)
        _, answer = answered(services, wanted.image.file, Obtained(How.UPLOAD))
        wanted = wanted.model_copy(update={"begins_with": answer.id})
    generation = create_generation(wanted, services, jobs, request, Response())
    return went(request, f"generate/{generation.id}")


@router.get("/{generation_id}", dependencies=[needs(Scope.READ)])
def show_generation(
    request: Request,
    generation_id: UUID,
    services: ServicesDep,
    number: Annotated[int, Query(ge=0, alias="picture")] = 0,
) -> Response:
    """Show how far a request is, and one of its pictures."""
    generation = get_generation(generation_id, services)
    shown = None
    if generation.images:
        number = min(number, len(generation.images) - 1)
        shown = _shown(services, generation_id, number, generation.images[number])
    return page(
        request,
        "generation.html",
        generation=generation,
        named=_named(services, generation.request),
        shown=shown,
    )


@router.post("/{generation_id}/cancel", dependencies=[needs(Scope.GENERATE)])
def cancel(request: Request, generation_id: UUID, services: ServicesDep) -> Response:
    """Have a request end after the step in hand."""
    cancel_generation(generation_id, services)
    return went(request, f"generate/{generation_id}")


def _named(services: Services, asked: Mapping[str, Any]) -> tuple[Named, ...]:
    return named_in(services.sessions, asked["prompt"])


def _shown(services: Services, generation_id: UUID, number: int, picture: PictureOut) -> Shown:
    unseen = why_unseen(generation_id, number, services)
    answer = exhibits = credentials = None
    if picture.attribution:
        recorded = services.attributor.recall(picture.attribution.id)
        told = make_page(services, "The picture", None, recorded, action="view")
        answer = tell([told], None).answers[0]
        exhibits = next((one for one in answer.rest if one.name == "exhibits"), None)
    if not unseen:
        png, limits = services.store.generated(generation_id, number), services.limits
        found = read_credentials(png, limits.trust_anchors, limits.timestamp_roots)
        credentials = SAID[found.state]
    return Shown(
        number,
        picture,
        unseen,
        answer,
        exhibits,
        not_to_be_named(picture.references),
        credentials,
    )


def _limits() -> Mapping[str, int]:
    return {
        "prompt": studio.LONGEST_PROMPT,
        "count": studio.MOST_PICTURES,
        "steps": studio.MOST_STEPS,
        "guidance": studio.MOST_GUIDANCE,
        "side": generator.LARGEST_SIDE_PX,
        "side_step": generator.SIDE_STEP_PX,
    }
