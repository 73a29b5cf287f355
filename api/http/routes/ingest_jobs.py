"""Ingest jobs: works come in by upload, one file or an archive, and are ingested in turn."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from pydantic import BaseModel, BeforeValidator, Field

from api.http.access import ScopedRoute, needs
from api.http.dependencies import Cursor, JobsDep, PageSize, ServicesDep, WorksDep
from api.http.description import also
from api.schemas import ItemOut, JobDetail, JobOut, PageOut
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.catalogue.models import PURPOSES, JobStatus, NameRule, Outcome
from attribution.catalogue.names import LONGEST_NAME
from attribution.services import Services
from ingest.options import Options, Reading
from ingest.sources import Level, SourceItem
from ingest.sources.cells import asks, says
from ingest.uploads import Described, accept, unpack_limits

router = APIRouter(prefix="/ingest-jobs", tags=["ingest jobs"], route_class=ScopedRoute)


SAID = set(SourceItem.__dataclass_fields__) - {"artist"} | {f"consent_{one}" for one in PURPOSES}


def _yes_or_no(value: object) -> bool:
    """Read an answer by the words that tables have; what is neither is refused, not a default."""
    try:
        said = None if asks(value) else says(value)
    except ValueError:
        said = None
    if said is None:
        raise ValueError(f"say yes or no, not {str(value)[:60]!r}")
    return said


YesNo = Annotated[bool, BeforeValidator(_yes_or_no)]


class Upload(BaseModel):
    """One image with what is known of it, or an archive with one folder per artist."""

    file: Annotated[UploadFile, File(description="An image, or a zip, tar or tar.gz archive.")]
    artist: str | None = Field(
        None, max_length=LONGEST_NAME, description="Needed for a single image."
    )
    title: str | None = Field(None, max_length=1000)
    caption: str | None = Field(None, max_length=5000)
    tags: str = Field("", max_length=5000, description="Separated by commas.")
    year: int | None = Field(None, ge=-10_000, le=10_000)
    licence: str | None = Field(None, max_length=500, examples=["CC-BY-4.0"])
    consent_index: YesNo = Field(default=True, description="May be found.")
    consent_display: YesNo = Field(default=True, description="May be shown.")
    consent_evidence: YesNo = Field(
        default=True, description="May be shown to reviewers and parties."
    )
    consent_train: YesNo = Field(default=False, description="May train models.")
    consent_generate: YesNo = Field(default=False, description="May steer generation.")
    reinstate: YesNo = Field(default=False, description="Withdrawn works are taken in again.")
    allow_freer: YesNo = Field(
        default=False, description="Of known works, consents and licences may widen."
    )
    names: NameRule | None = Field(
        None,
        description="What a spelling becomes that differs from an artist's name in case, accents "
        "or word order only; by default LAWFUL_NAMES.",
    )
    names_encoding: str | None = Field(
        None, max_length=40, description="Of names in an archive that are not UTF-8, such as cp932."
    )
    layout: Level | None = Field(
        None, description="The outermost folders of an archive are the artists, or hold them."
    )

    def options(self) -> Options:
        """Return what the job may do beyond the rule."""
        return Options(self.reinstate, self.allow_freer, self.names)

    def reading(self) -> Reading:
        """Return how an archive is to be read."""
        return Reading(layout=self.layout, names_encoding=self.names_encoding)

    def described(self) -> Described:
        """Return what is said about the file."""
        granted = {
            "index": self.consent_index,
            "display": self.consent_display,
            "evidence": self.consent_evidence,
            "train": self.consent_train,
            "generate": self.consent_generate,
        }
        return Described(
            artist=self.artist,
            title=self.title,
            caption=self.caption,
            tags=tuple(tag.strip() for tag in self.tags.split(",") if tag.strip()),
            year=self.year,
            licence=self.licence,
            consent=tuple(purpose for purpose, given in granted.items() if given),
            said=tuple(name for name in SAID & self.model_fields_set if getattr(self, name) != ""),
        )


@router.post(
    "",
    summary="Upload works",
    status_code=202,
    responses=also(409),
    dependencies=[needs(Scope.CONTRIBUTE)],
)
def create_ingest_job(
    upload: Annotated[Upload, Form(media_type="multipart/form-data")],
    services: ServicesDep,
    jobs: JobsDep,
    works: WorksDep,
    request: Request,
    response: Response,
) -> JobDetail:
    """Take one image or an archive in; the job says what became of every file.

    Members of an archive that cannot be used are refused one by one, the others go on. An archive
    that cannot be used as a whole fails its job. 409 where the tenant's quota has no room.
    """
    works.of_upload(upload.file.file, unpack_limits(services))
    job_id = accept(
        services,
        upload.file.file,
        upload.file.filename,
        upload.described(),
        upload.reading(),
        upload.options(),
    )
    jobs.submit(job_id)
    where = request.app.url_path_for("get_ingest_job", job_id=job_id)
    response.headers["location"] = str(where)
    return _detail(services, job_id)


@router.get("", summary="List ingest jobs", dependencies=[needs(Scope.READ)])
def list_ingest_jobs(
    services: ServicesDep,
    status: Annotated[JobStatus | None, Query(description="Only these.")] = None,
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[JobOut]:
    """Jobs of the API and of the command line, the newest first; `failed` are the dead letters."""
    with services.sessions() as session:
        page = queries.list_jobs(session, status=status, cursor=cursor, limit=limit)
        return PageOut[JobOut].of(page, JobOut.model_validate)


@router.get("/{job_id}", summary="Get one ingest job", dependencies=[needs(Scope.READ)])
def get_ingest_job(job_id: UUID, services: ServicesDep) -> JobDetail:
    """How far a job is."""
    return _detail(services, job_id)


@router.post(
    "/{job_id}/cancel",
    summary="Cancel an ingest job",
    status_code=202,
    responses=also(409),
    dependencies=[needs(Scope.OPERATE)],
)
def cancel_ingest_job(job_id: UUID, services: ServicesDep) -> JobDetail:
    """Have a job end after the files in hand; what was done stays. 409 when it has ended."""
    with services.sessions.begin() as session:
        queries.cancel_job(session, job_id)
    return _detail(services, job_id)


@router.post(
    "/{job_id}/retry",
    summary="Go on with an ingest job",
    status_code=202,
    responses=also(409),
    dependencies=[needs(Scope.OPERATE)],
)
def retry_ingest_job(job_id: UUID, services: ServicesDep, jobs: JobsDep) -> JobDetail:
    """Have a failed or cancelled job go on where it stopped. 409 for any other."""
    with services.sessions.begin() as session:
        queries.retry_job(session, job_id)
    jobs.submit(job_id)
    return _detail(services, job_id)


@router.get(
    "/{job_id}/items", summary="List the files of an ingest job", dependencies=[needs(Scope.READ)]
)
def list_ingest_items(
    job_id: UUID,
    services: ServicesDep,
    outcome: Annotated[Outcome | None, Query(description="Only these.")] = None,
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[ItemOut]:
    """List what became of every file, in the source's order."""
    with services.sessions() as session:
        queries.job_by_id(session, job_id)
        page = queries.list_items(session, job_id, outcome=outcome, cursor=cursor, limit=limit)
        return PageOut[ItemOut].of(page, ItemOut.of)


def _detail(services: Services, job_id: UUID) -> JobDetail:
    with services.sessions() as session:
        job = queries.job_by_id(session, job_id)
        summary, waiting = queries.job_summary(session, job_id), queries.trouble_of(session, job_id)
        return JobDetail.of(job, summary, waiting)
