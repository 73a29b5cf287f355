"""Ingest: works come in by upload, looked at first where somebody wants that, and followed."""

from __future__ import annotations

from collections import Counter
from threading import BoundedSemaphore
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from api.console.permits import permitted
from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.dependencies import Cursor, JobsDep, ServicesDep, WorksDep
from api.http.routes.ingest_jobs import (
    Upload,
    cancel_ingest_job,
    create_ingest_job,
    get_ingest_job,
    list_ingest_items,
    list_ingest_jobs,
    retry_ingest_job,
)
from attribution.actors import Scope
from attribution.catalogue.models import PURPOSES, Outcome
from attribution.errors import BadInput
from ingest.sources.archives import count_works
from ingest.uploads import preview_upload, unpack_limits

router = APIRouter(prefix="/ingest", route_class=PageRoute)

SHOWN = 20  # jobs
CHECKED = 1_000  # files at most, while somebody waits
CHECKS = BoundedSemaphore(1)
FILES = 100  # of a job, or of a look at what one would do

UploadForm = Annotated[Upload, Form(media_type="multipart/form-data")]


@router.get("", dependencies=[needs(Scope.READ)])
def show_ingest(request: Request, services: ServicesDep, cursor: Cursor = None) -> Response:
    """Ask for works, and show the jobs there were."""
    jobs = list_ingest_jobs(services, cursor=cursor, limit=SHOWN)
    return page(request, "ingest.html", jobs=jobs, purposes=PURPOSES)


@router.post("", dependencies=[needs(Scope.CONTRIBUTE)])
def take_in(
    upload: UploadForm, services: ServicesDep, jobs: JobsDep, works: WorksDep, request: Request
) -> Response:
    """Take works in; leads to their job."""
    job = create_ingest_job(upload, services, jobs, works, request, Response())
    return went(request, f"ingest/{job.id}")


@router.post("/check", dependencies=[needs(Scope.CONTRIBUTE)])
def check(upload: UploadForm, services: ServicesDep, works: WorksDep, request: Request) -> Response:
    """Say what would become of every file, and take nothing in."""
    limits = unpack_limits(services)
    works.of_upload(upload.file.file, limits)
    if count_works(upload.file.file, limits, most=CHECKED + 1) > CHECKED:
        raise BadInput(
            f"the archive has more than {CHECKED:,} files, too many to wait for; take it in: its "
            f"job says what becomes of each"
        )
    with permitted(CHECKS, "another archive is being checked"):
        found = preview_upload(
            services,
            upload.file.file,
            upload.file.filename,
            upload.described(),
            upload.reading(),
            upload.options(),
        )
    return page(
        request,
        "ingest_check.html",
        counts=Counter(one.outcome for one in found.items),
        artists=found.artists,
        remarks=found.remarks,
        # What needs a look comes first
        files=sorted(found.items, key=lambda one: one.outcome is Outcome.ADDED)[:FILES],
        left=max(len(found.items) - FILES, 0),
    )


@router.get("/{job_id}", dependencies=[needs(Scope.READ)])
def show_job(
    request: Request,
    job_id: UUID,
    services: ServicesDep,
    outcome: Outcome | None = None,
    cursor: Cursor = None,
) -> Response:
    """Show how far a job is, and what became of its files."""
    job = get_ingest_job(job_id, services)
    files = list_ingest_items(job_id, services, outcome=outcome, cursor=cursor, limit=FILES)
    return page(request, "ingest_job.html", job=job, files=files, outcome=outcome)


@router.post("/{job_id}/cancel", dependencies=[needs(Scope.OPERATE)])
def cancel(request: Request, job_id: UUID, services: ServicesDep) -> Response:
    """Have a job end after the files in hand."""
    cancel_ingest_job(job_id, services)
    return went(request, f"ingest/{job_id}")


@router.post("/{job_id}/retry", dependencies=[needs(Scope.OPERATE)])
def retry(request: Request, job_id: UUID, services: ServicesDep, jobs: JobsDep) -> Response:
    """Have a job go on where it stopped."""
    retry_ingest_job(job_id, services, jobs)
    return went(request, f"ingest/{job_id}")
