"""The pages, a module for each place of the navigation."""

from fastapi import APIRouter, Depends

from api.console.pages import artists, assets, home, ingest, lookup, records, search, works
from api.http.dependencies import known_names

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_names)])
for part in (assets, home, lookup, search, artists, works, records, ingest):
    router.include_router(part.router, prefix="/console")
