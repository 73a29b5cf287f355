"""What routes ask for. The application's lifespan opened it; nothing is built here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Annotated, Literal, get_origin

from fastapi import Depends, Query, Request, params
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, BeforeValidator, WithJsonSchema
from pydantic.fields import FieldInfo
from sqlalchemy.orm import Session

from api.dates import end_of
from api.http.metrics import Metrics
from api.http.probes import Probes
from api.http.rates import WORKS, Allowance
from api.http.streams import Streams
from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus
from attribution.catalogue.queries import WorksWanted
from attribution.catalogue.queries.pages import LARGEST_PAGE
from attribution.services import Services
from attribution.upkeep.training_summary import Summaries
from ingest.sources.archives import count_works
from ingest.sources.members import UnpackLimits
from ingest.work.jobs import JobQueue


def services(request: Request) -> Services:
    """Return the parts of this application."""
    found: Services = request.app.state.services
    return found


def jobs(request: Request) -> JobQueue:
    """Return where jobs run."""
    found: JobQueue = request.app.state.jobs
    return found


def metrics(request: Request) -> Metrics:
    """Return the counters."""
    found: Metrics = request.app.state.metrics
    return found


def summaries(request: Request) -> Summaries:
    """Return the summaries of training content that were made last."""
    found: Summaries = request.app.state.summaries
    return found


def streams(request: Request) -> Streams:
    """Return the open streams."""
    found: Streams = request.app.state.streams
    return found


async def probes(request: Request) -> Probes:
    """Return what asks the parts of this application; `async`, so that it needs no thread."""
    found: Probes = request.app.state.probes
    return found


def works(request: Request) -> TakesWorks:
    """Return what counts the works that a request brings or asks about."""
    allowance: Allowance = request.app.state.allowance
    return TakesWorks(allowance)


@dataclass(frozen=True)
class TakesWorks:
    """Counts works against what the caller may bring or ask about in a minute."""

    allowance: Allowance

    def __call__(self, number: int = 1) -> None:
        """Count some; raises TooMany."""
        self.allowance.take(WORKS, number)

    def of_upload(self, file: IO[bytes], limits: UnpackLimits) -> None:
        """Count the files of an archive, the rows of a table, or one image; raises TooMany."""
        if most := self.allowance.most(WORKS):
            self(count_works(file, limits, most=most))


def one_work(works: WorksDep) -> None:
    """Count one work, for a route that brings or asks about one; raises TooMany."""
    works()


async def known_names(request: Request) -> None:
    """Refuse query parameters and form fields that the route does not have, or has only once.

    A misspelt one would do nothing: `consent_trian=no` would leave the default. Of a repeated one
    the last would count, whatever the first said.
    """
    route: Dependant = request.scope["route"].dependant
    others = (params.Path, params.Header, params.Cookie)
    asked = [one for one in get_flat_params(route) if not isinstance(one.field_info, others)]
    known = {one.alias: one.field_info for one in asked}
    _check(request.query_params.multi_items(), known, "query", "parameter")
    if fields := _form_fields(route):
        _check((await request.form()).multi_items(), fields, "body", "field")


def _form_fields(route: Dependant) -> dict[str, FieldInfo]:
    """Return what a form of this route may hold, by name; nothing where it takes none."""
    fields: dict[str, FieldInfo] = {}
    for one in route.body_params:
        info = one.field_info
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            fields |= info.annotation.model_fields if isinstance(info, params.Form) else {}
        elif isinstance(info, params.Form):
            fields[one.alias] = info
    return fields


def _check(
    given: Sequence[tuple[str, object]], known: Mapping[str, FieldInfo], where: str, kind: str
) -> None:
    counted = Counter(name for name, _ in given)
    wrong = [
        {"type": "extra_forbidden", "loc": (where, name), "msg": _unknown(kind, known)}
        for name in sorted(counted.keys() - known.keys())
    ]
    wrong += [
        {"type": "too_long", "loc": (where, name), "msg": f"given {times} times; give it once"}
        for name, times in sorted(counted.items())
        if times > 1 and name in known and get_origin(known[name].annotation) is not list
    ]
    if wrong:
        raise RequestValidationError(wrong)


def _unknown(kind: str, known: Mapping[str, FieldInfo]) -> str:
    return f"no such {kind}; known here: {', '.join(sorted(known)) or 'none'}"


def works_wanted(
    session: Session, artist: str | None, status: ArtworkStatus | str, licence: str | None
) -> WorksWanted:
    """Return the works that a query asks for; raises NotFound for an unknown artist."""
    return WorksWanted(
        artist_id=queries.artist_by_slug(session, artist).id if artist else None,
        status=status if isinstance(status, ArtworkStatus) else None,
        licence=licence,
    )


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("no such moment in UTC") from None


def _is_written_out(said: object) -> object:
    try:
        float(str(said))
    except ValueError:
        return said
    raise ValueError(f"{said!r} is no date; write it as 2026-11-01 or 2026-11-01T12:00:00Z")


Moment = Annotated[
    datetime,
    BeforeValidator(_is_written_out),  # a number would be read as seconds since 1970
    AfterValidator(_in_utc),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "string", "format": "date"},
            ]
        }
    ),
]
"""A time that was given; UTC where no zone is said."""

End = Annotated[Moment, BeforeValidator(end_of)]
"""A time until which something holds: a date means to the end of that day."""

ServicesDep = Annotated[Services, Depends(services)]
JobsDep = Annotated[JobQueue, Depends(jobs)]
WorksDep = Annotated[TakesWorks, Depends(works)]
ONE_WORK = Depends(one_work)
SummariesDep = Annotated[Summaries, Depends(summaries)]
StreamsDep = Annotated[Streams, Depends(streams)]
ProbesDep = Annotated[Probes, Depends(probes)]
MetricsDep = Annotated[Metrics, Depends(metrics)]

ArtistSlug = Annotated[str | None, Query(max_length=200, description="Slug of an artist.")]
Licence = Annotated[
    str | None,
    Query(
        max_length=500,
        description="In any spelling; what names no known licence, by its exact text.",
    ),
]
State = Annotated[
    ArtworkStatus | Literal["any"], Query(description="State of the works; `any`: every one.")
]
Since = Annotated[Moment | None, Query(description="From this time on; UTC where no zone is said.")]
Until = Annotated[Moment | None, Query(description="Before this time; UTC where no zone is said.")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=1000,
        description="`next` of the page before; leave out to begin.",
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]+$"},
    ),
]
PageSize = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Entries a page.")]
