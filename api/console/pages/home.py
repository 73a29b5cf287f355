"""Home: what is registered, what waits for whoever looks, how the system is, and first steps."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from fastapi import APIRouter, Request, Response

from api.bundled import examples_folder
from api.cases import CaseOut
from api.console.pages.insight import runs_the_service
from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.dependencies import JobsDep, ServicesDep
from api.http.probes import checks, outcome
from api.http.routes.calibration import get_calibration
from attribution.actors import Scope, who
from attribution.cases import CaseStatus
from attribution.catalogue import queries
from attribution.catalogue.queries import desk
from attribution.desk.people import me
from attribution.services import Services
from ingest.options import BY_RULE, Reading
from ingest.uploads import accept_archive

router = APIRouter(route_class=PageRoute)

SHOWN = 5  # cases


@router.get("", dependencies=[needs(Scope.READ)])
def show_home(request: Request, services: ServicesDep, jobs: JobsDep) -> Response:
    """Show where things stand."""
    wanted = desk.CasesWanted(statuses=desk.WAITING, person=me())
    with services.sessions() as session:
        counts = queries.counts(session)
        mine, unsigned = None, []
        if Scope.CASES in who().scopes:
            rows = desk.list_cases(session, wanted, cursor=None, limit=SHOWN).items
            mine = [CaseOut.of(row) for row in rows]
            to_sign = desk.CasesWanted(statuses=[CaseStatus.SECOND])
            rows = desk.list_cases(session, to_sign, cursor=None, limit=SHOWN).items
            unsigned = [CaseOut.of(row) for row in rows]
    return page(
        request,
        "home.html",
        counts=counts,
        mine=mine,
        unsigned=unsigned,
        checks={name: outcome(check) for name, check in checks(services, jobs).items()},
        calibration=get_calibration(services),
        free_bytes=_free_bytes(services) if runs_the_service(services) else None,
    )


def _free_bytes(services: Services) -> int:
    return shutil.disk_usage(services.settings.home).free


@router.post("/examples", dependencies=[needs(Scope.CONTRIBUTE)])
def take_examples(request: Request, services: ServicesDep, jobs: JobsDep) -> Response:
    """Take the example portfolio in, as an archive that somebody uploads."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "examples"
        packed = shutil.make_archive(str(base), "zip", examples_folder() / "portfolio")
        job_id = accept_archive(services, Path(packed), Reading(), BY_RULE)
    jobs.submit(job_id)
    return went(request, f"ingest/{job_id}")
