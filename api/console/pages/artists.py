"""Artists: who is registered, their portfolios, names, consent and history; how they leave."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from api.consents import StandingOut
from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.conditions import EditingDep, ReadingDep
from api.http.dependencies import Cursor, JobsDep, ServicesDep
from api.http.routes.artists import (
    Merged,
    Renamed,
    create_alias,
    get_artist,
    merge_artist,
    rename_artist,
)
from api.http.routes.artworks import list_artworks
from api.http.routes.changes import list_changes
from api.http.routes.consents import list_consents
from api.http.routes.withdrawals import Requested, create_withdrawal
from api.schemas import ArtistName, ArtistOut, PageOut
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.catalogue.names import LONGEST_NAME, visible
from attribution.catalogue.queries import ChangesWanted, ConsentsWanted
from attribution.consents import ConsentPurpose
from attribution.errors import BadInput
from attribution.upkeep.correction import plan_merge

router = APIRouter(prefix="/artists", route_class=PageRoute)

SHOWN = 60  # artists, or works
LATEST = 20  # changes, or statements of consent
STATED = [one for one in ConsentPurpose if one is not ConsentPurpose.INDEX]  # that is a withdrawal
Slug = Annotated[str, Form(min_length=1, max_length=200)]


@router.get("", dependencies=[needs(Scope.READ)])
def show_artists(
    request: Request,
    services: ServicesDep,
    name: Annotated[str, Query(max_length=LONGEST_NAME)] = "",
    cursor: Cursor = None,
) -> Response:
    """List artists, or those who are called like something."""
    with services.sessions() as session:
        if name.strip():
            rows = queries.artists_called(session, name.strip(), limit=SHOWN)
            found = PageOut[ArtistOut](items=[ArtistOut.of_row(row) for row in rows], next=None)
        else:
            listed = queries.list_artists(
                session, without_withdrawn=True, cursor=cursor, limit=SHOWN
            )
            rows, found = [*listed.items], PageOut[ArtistOut].of(listed, ArtistOut.of_row)
        owners = {artist.name: artist.id for artist, _ in rows}
        alike: dict[str, list[ArtistName]] = {}
        for own, other in queries.likely_aliases(session, owners):
            alike.setdefault(own, []).append(ArtistName.of(other))
    return page(request, "artists.html", artists=found, alike=alike, name=name)


@router.get("/{slug}", dependencies=[needs(Scope.READ)])
def show_artist(
    request: Request,
    slug: str,
    services: ServicesDep,
    reading: ReadingDep,
    cursor: Cursor = None,
) -> Response:
    """Show an artist with the portfolio; htmx gets the works behind a cursor."""
    artist = get_artist(slug, services, reading)
    works = list_artworks(services, artist=slug, cursor=cursor, limit=SHOWN)
    if cursor is not None and "hx-request" in request.headers:
        return page(request, "artist_works.html", artist=artist, works=works)
    with services.sessions() as session:
        row = queries.artist_by_slug(session, slug)
        stands = queries.standing_of_portfolio(session, row.id)
        left = queries.last_withdrawal(session, row.id, None) if row.withdrawn_at else None
    return page(
        request,
        "artist.html",
        artist=artist,
        works=works,
        stands=StandingOut.all_of(stands),
        consents=list_consents(services, ConsentsWanted(artist_id=row.id), limit=LATEST),
        changes=list_changes(services, ChangesWanted(artist_id=row.id), limit=LATEST),
        purposes=STATED,
        is_nobody=row.is_nobody,
        left=left,
    )


@router.post("/{slug}/rename", dependencies=[needs(Scope.OPERATE)])
def rename(
    request: Request,
    slug: str,
    asked: Annotated[Renamed, Form()],
    services: ServicesDep,
    editing: EditingDep,
) -> Response:
    """Call an artist by another name."""
    artist = rename_artist(slug, asked, services, editing)
    return went(request, f"artists/{artist.slug}")


@router.post("/{slug}/aliases", dependencies=[needs(Scope.OPERATE)])
def add_alias(
    request: Request,
    slug: str,
    asked: Annotated[Renamed, Form()],
    services: ServicesDep,
    editing: EditingDep,
) -> Response:
    """Note another name of an artist."""
    artist = create_alias(slug, asked, services, editing)
    return went(request, f"artists/{artist.slug}")


@router.get("/{slug}/merge", dependencies=[needs(Scope.OPERATE)])
def show_merge(
    request: Request,
    slug: str,
    into: Annotated[str, Query(max_length=200)],
    services: ServicesDep,
    reading: ReadingDep,
) -> Response:
    """Show what a merge would do."""
    return page(
        request,
        "merge.html",
        gone=get_artist(slug, services, reading),
        kept=get_artist(into.strip(), services, reading),
        planned=plan_merge(services, slug, into.strip()),
    )


@router.post("/{slug}/merge", dependencies=[needs(Scope.OPERATE)])
def merge(
    request: Request,
    slug: str,
    into: Slug,
    services: ServicesDep,
    editing: EditingDep,
    reason: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """Make one artist of two, as somebody has just read what it would do."""
    asked = Merged(into=into, confirm=True, reason=reason or None)
    artist = merge_artist(slug, asked, services, editing)
    return went(request, f"artists/{artist.slug}")


@router.post("/{slug}/withdraw", dependencies=[needs(Scope.OPERATE)])
def withdraw_artist(
    request: Request,
    slug: str,
    name: Annotated[str, Form(max_length=LONGEST_NAME)],
    reason: Annotated[str, Form(min_length=1, max_length=2_000)],
    services: ServicesDep,
    jobs: JobsDep,
) -> Response:
    """Forget an artist with all works, once the name was typed; leads to the receipt."""
    with services.sessions() as session:
        artist = queries.artist_by_slug(session, slug)
    if visible(name) != visible(artist.name):  # isolated where it is shown
        raise BadInput(f"{name!r} is not the artist's name: type {artist.name!r} to confirm")
    asked = Requested(what=slug, reason=reason)
    receipt = create_withdrawal(asked, services, jobs, request, Response())
    return went(request, f"receipts/{receipt.id}")
