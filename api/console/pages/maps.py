"""The map of the catalogue: a script draws what the API lists of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Request, Response, UploadFile

from api.console.rendering import PageRoute, page
from api.http.access import needs
from api.http.dependencies import ONE_WORK, ServicesDep
from api.http.routes.maps import put_on_map
from attribution.actors import Scope
from attribution.lookup.maps import view

router = APIRouter(prefix="/insight/map", route_class=PageRoute)


@router.get("", dependencies=[needs(Scope.READ)])
def show_map(request: Request, services: ServicesDep) -> Response:
    """Show the whole map; the script asks for parts of it as somebody walks."""
    found = view(services, services.row.fingerprint, limit=1)
    return page(request, "map.html", map=found.map)


@router.post("", dependencies=[needs(Scope.LOOK_UP), ONE_WORK])
def land(request: Request, services: ServicesDep, image: Annotated[UploadFile, File()]) -> Response:
    """Put an image on the map, and show what it lies between."""
    return page(request, "map_landing.html", landing=put_on_map(image, services))
