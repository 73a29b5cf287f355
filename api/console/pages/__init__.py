"""The pages, a module for each place of the navigation."""

from fastapi import APIRouter, Depends

from api.console.pages import (
    artists,
    assets,
    batches,
    case,
    case_acts,
    compare,
    generate,
    home,
    ingest,
    insight,
    lookup,
    maps,
    opening,
    papers,
    parties,
    queue,
    records,
    search,
    timeline,
    works,
)
from api.http.dependencies import known_names

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_names)])
for part in (
    assets,
    home,
    lookup,
    batches,
    compare,
    queue,
    opening,
    case,
    case_acts,
    parties,
    papers,
    timeline,
    search,
    artists,
    works,
    records,
    ingest,
    generate,
    insight,
    maps,
):
    router.include_router(part.router, prefix="/console")
