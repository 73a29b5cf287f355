"""Generations: pictures from words, each with the artists whose work it resembles."""

from __future__ import annotations

import secrets
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue, Strict

from api.answers import AnswerOut
from api.http.access import ScopedRoute, needs
from api.http.dependencies import Cursor, JobsDep, PageSize, ServicesDep
from api.http.description import BYTES, also
from api.schemas import PageOut
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus, Generation, JobStatus
from attribution.errors import NotAllowed, NotFound
from attribution.generation.generator import (
    LARGEST_SIDE_PX,
    SIDE_STEP_PX,
    GeneratorInfo,
    ImageRequest,
)
from attribution.generation.studio import (
    LONGEST_PROMPT,
    MOST_GUIDANCE,
    MOST_PICTURES,
    MOST_STEPS,
    Reference,
    Withheld,
    made_from,
    references_of,
)
from attribution.services import Services
from ingest.generations import ask

router = APIRouter(prefix="/generations", tags=["generations"], route_class=ScopedRoute)


def _limits(**limits: int) -> dict[str, JsonValue]:
    """Return limits for the description only: `check_request` refuses, and says what to do."""
    return dict(limits)


Side = Annotated[
    int | None,
    Field(
        description="Pixels.",
        json_schema_extra=_limits(
            minimum=SIDE_STEP_PX, maximum=LARGEST_SIDE_PX, multipleOf=SIDE_STEP_PX
        ),
    ),
]


class Wanted(BaseModel):
    """What is to be drawn; what is left out is as the model's authors have set it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: str = Field(
        examples=["croissant by franck doucet"],
        json_schema_extra=_limits(minLength=1, maxLength=LONGEST_PROMPT),
    )
    negative_prompt: str = Field("", json_schema_extra=_limits(maxLength=LONGEST_PROMPT))
    count: int = Field(
        1, description="Pictures.", json_schema_extra=_limits(minimum=1, maximum=MOST_PICTURES)
    )
    seed: int | None = Field(
        None,
        description="Of the first picture; the next has the next one.",
        json_schema_extra=_limits(minimum=0, maximum=2**32 - 1),
    )
    steps: int | None = Field(None, json_schema_extra=_limits(minimum=1, maximum=MOST_STEPS))
    guidance: float | None = Field(
        None,
        description="How much the prompt counts.",
        json_schema_extra=_limits(minimum=0, maximum=MOST_GUIDANCE),
    )
    width: Side = None
    height: Side = None
    begins_with: Annotated[UUID | None, Strict(strict=False)] = Field(
        None,
        description="An earlier attribution: the pictures are made from the image that is kept of "
        "it. Whoever asked about that image may, and who has `review`.",
    )
    strength: float | None = Field(
        None,
        description="How far to go from that image: above 0, near it, up to 1.",
        json_schema_extra={"exclusiveMinimum": 0, "maximum": 1},
    )

    def request(self) -> ImageRequest:
        """Return it for the generator, with a seed."""
        seed = secrets.randbelow(2**31) if self.seed is None else self.seed
        names = {one.name for one in fields(ImageRequest)}
        return ImageRequest(**self.model_dump(include=names) | {"seed": seed})


class PictureOut(BaseModel):
    """One picture with whom it resembles."""

    seed: int = Field(description="With which it comes again.")
    sha256: str | None
    withheld: Withheld | None = Field(description="Why there is no image; null: there is one.")
    attribution: AnswerOut | None = Field(
        description="`copy_of` and `related_to` warn of near copies."
    )
    references: list[Reference] = Field(
        description="The artists that the answer names, with what they say of generation now. Only "
        "one who is resembled and says `yes` may be named beside the picture; the others are named "
        "to you alone."
    )


class MadeFromOut(BaseModel):
    """The image that pictures were made from, with whose work it shows or resembles."""

    summary: str
    warnings: list[str] = Field(
        description="What speaks against it now, such as a work without the consent `generate`."
    )
    attribution: AnswerOut = Field(description="Asked for when the pictures were drawn.")
    references: list[Reference] = Field(
        description="The artists that the answer names, with what they say of generation now."
    )

    @classmethod
    def of(cls, attribution_id: UUID, services: Services) -> Self:
        """Shape what is to be said now of a recorded answer."""
        found = made_from(services, services.attributor.recall(attribution_id))
        return cls(
            summary=found.summary,
            warnings=list(found.warnings),
            attribution=AnswerOut.of(found.answer),
            references=list(found.references),
        )


class GenerationOut(BaseModel):
    """A request for pictures, and how far it is."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    status: JobStatus
    request: dict[str, Any]
    done: int = Field(description="Steps done, over all pictures.")
    steps: int = Field(description="Steps; 0 until they are known.")
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class GenerationDetail(GenerationOut):
    """A request for pictures with what came of it."""

    waiting: str | None = Field(description="What keeps it from going on; it goes on by itself.")
    generator: GeneratorInfo | None
    notes: list[str]
    made_from: MadeFromOut | None = Field(description="Null: from words alone, or not drawn yet.")
    images: list[PictureOut]

    @classmethod
    def of(cls, row: Generation, services: Services) -> Self:
        """Shape a row; answers are those recorded, consent is that of now."""
        with services.sessions() as session:
            waiting = queries.trouble_of(session, row.id)
        given = row.result.get("made_from")
        return cls(
            **vars(GenerationOut.model_validate(row)),
            waiting=waiting,
            made_from=MadeFromOut.of(UUID(given), services) if given else None,
            generator=row.result.get("generator"),
            notes=row.result.get("notes", []),
            images=[_picture(one, services) for one in row.result.get("images", [])],
        )


@router.post(
    "",
    summary="Draw pictures",
    status_code=202,
    responses=also(403, 404, 409),
    dependencies=[needs(Scope.GENERATE)],
)
def create_generation(
    wanted: Wanted,
    services: ServicesDep,
    jobs: JobsDep,
    request: Request,
    response: Response,
) -> GenerationDetail:
    """Have pictures drawn by the generator of this service; each is attributed like any image.

    So is an image that they are made from. 403 where its file, or the work that it shows, says no
    to that; 409 where it is not kept.
    """
    generation_id = ask(services, wanted.request(), begins_with=wanted.begins_with)
    jobs.draw(generation_id)
    where = request.app.url_path_for("get_generation", generation_id=generation_id)
    response.headers["location"] = str(where)
    return get_generation(generation_id, services)


@router.get("", summary="List generations", dependencies=[needs(Scope.READ)])
def list_generations(
    services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[GenerationOut]:
    """List requests in short, the newest first."""
    with services.sessions() as session:
        page = queries.list_generations(session, cursor=cursor, limit=limit)
        return PageOut[GenerationOut].of(page, GenerationOut.model_validate)


@router.get("/{generation_id}", summary="Get one generation", dependencies=[needs(Scope.READ)])
def get_generation(generation_id: UUID, services: ServicesDep) -> GenerationDetail:
    """How far a request is, and whose work each picture resembles."""
    with services.sessions() as session:
        row = queries.generation_by_id(session, generation_id)
    return GenerationDetail.of(row, services)


@router.post(
    "/{generation_id}/cancel",
    summary="Cancel a generation",
    status_code=202,
    responses=also(409),
    dependencies=[needs(Scope.GENERATE)],
)
def cancel_generation(generation_id: UUID, services: ServicesDep) -> GenerationDetail:
    """Have a request end after the step in hand. 409 when it has ended."""
    with services.sessions.begin() as session:
        row = queries.cancel_generation(session, generation_id)
    return GenerationDetail.of(row, services)


@router.get(
    "/{generation_id}/images/{number}",
    summary="Get a generated picture",
    response_class=Response,
    responses=also(403)
    | {200: {"description": "PNG", "content": {"image/png": {"schema": BYTES}}}},
    dependencies=[needs(Scope.READ)],
)
def get_generated_image(generation_id: UUID, number: int, services: ServicesDep) -> Response:
    """Return a picture, counted from 0; 403 for one that is withheld."""
    if why := why_unseen(generation_id, number, services):
        raise NotAllowed(f"picture {number} of {generation_id} is {why}")
    headers = {"cache-control": "private, no-cache"}
    png = services.store.generated(generation_id, number)
    return Response(png, media_type="image/png", headers=headers)


def why_unseen(generation_id: UUID, number: int, services: Services) -> str | None:
    """Return why a picture is not handed out; None where it is. Raises NotFound."""
    with services.sessions() as session:
        result = queries.generation_by_id(session, generation_id).result
    images = result.get("images", [])
    if not 0 <= number < len(images):
        raise NotFound(f"generation {generation_id} has {len(images)} pictures, no number {number}")
    if withheld := images[number]["withheld"]:
        return f"withheld: {withheld}"
    if (said := images[number]["attribution"]) and _is_of_withdrawn(services, UUID(said)):
        return "a near copy of a withdrawn work"
    if (said := result.get("made_from")) and _is_of_withdrawn(services, UUID(said)):
        return "made from a copy of a withdrawn work"
    return None


def _is_of_withdrawn(services: Services, attribution_id: UUID) -> bool:
    work = services.attributor.recall(attribution_id).laid_on
    if work is None:
        return False
    with services.sessions() as session:
        return not queries.artworks_by_id(session, [work.id], status=ArtworkStatus.INDEXED)


def _picture(recorded: dict[str, Any], services: Services) -> PictureOut:
    said = recorded["attribution"]
    answer = services.attributor.recall(UUID(said)) if said else None
    references = references_of(services.sessions, answer) if answer else ()
    return PictureOut(
        seed=recorded["seed"],
        sha256=recorded["sha256"],
        withheld=recorded["withheld"],
        attribution=AnswerOut.of(answer) if answer else None,
        references=list(references),
    )
