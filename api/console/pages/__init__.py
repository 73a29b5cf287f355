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
    queue,
    records,
    search,
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
