"""Statements about artists and their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from hashlib import sha256
from uuid import UUID

from sqlalchemy import CompoundSelect, func, select, union_all
from sqlalchemy.orm import Session, aliased, selectinload

from attribution.catalogue.insert import insert_new
from attribution.catalogue.models import Alias, Artist, Change, ChangeKind
from attribution.catalogue.names import fold, slugify, tidy, turned
from attribution.catalogue.nobody import NOBODYS_NAME, is_nobody, nobody
from attribution.catalogue.queries.pages import Page, check_limit, cut, text_key
from attribution.errors import Conflict, Hint, NotFound, Way

HINTS_FROM = 2_000  # slugs compared with a misspelt one
STREAMED = 1_000  # rows in memory while all names are read


def get_or_create_artist(session: Session, name: str) -> Artist:
    """Find the artist of this exact name or confirmed alias, or create one."""
    return get_or_create_artists(session, [name])[name]


def get_or_create_artists(session: Session, names: Iterable[str]) -> dict[str, Artist]:
    """Find or create the artists of many names; the keys are the names as given.

    Only the exact name or an alias is the same artist; other spellings become artists of their own
    and appear in `proposed_aliases`, unless `join_spellings` has made aliases of them. Every name
    that means nobody is the same row. Raises
    BadInput for a name that is none.
    """
    tidied = {name: tidy(name) for name in names}
    found = artists_named(session, set(tidied.values())) | _nobody_by(session, tidied.values())
    unknown = set(tidied.values()) - found.keys()
    if unknown and lock_names(session, unknown):
        found |= artists_named(session, unknown)
    # Another process may take a slug between our look and our insert: look again. Sorted, so that
    # two processes with the same names wait for each other in one order and never in a circle.
    while missing := sorted(set(tidied.values()) - found.keys()):
        slugs = _free_slugs(session, missing)
        insert_new(
            session,
            Artist,
            [
                {
                    "name": name,
                    "slug": slugs[name],
                    "folded": fold(name),
                    "turned": turned(name),
                }
                for name in missing
            ],
        )
        found |= artists_named(session, missing)
    return {name: found[exact] for name, exact in tidied.items()}


def lock_names(session: Session, names: Iterable[str]) -> bool:
    """Have one transaction at a time decide whose the names of a fold are.

    Before any row of an artist is locked, or two wait for each other. SQLite has one writer anyway.
    Returns whether it may have waited: then what was read before may be out of date.
    """
    if session.get_bind().dialect.name != "postgresql":
        return False
    digests = {sha256(fold(name).encode("utf-8", "backslashreplace")).digest() for name in names}
    for key in sorted(int.from_bytes(digest[:8], signed=True) for digest in digests):
        session.execute(select(func.pg_advisory_xact_lock(key)))
    return True


def add_alias(session: Session, artist_id: UUID, name: str) -> bool:
    """Confirm that `name` is another name of an artist; False when it is theirs already.

    Raises Conflict when it is someone else's.
    """
    exact = tidy(name)
    if check_name(session, artist_id, exact):
        return False
    row = {"name": exact, "folded": fold(exact), "artist_id": artist_id}
    if insert_new(session, Alias, [row], returning=Alias.name):
        return True
    check_name(session, artist_id, exact)  # another process took it between our look and our insert
    return False


def check_name(session: Session, artist_id: UUID, exact: str) -> bool:
    """Tell whether a name is this artist's, or nobody's; raises Conflict for someone else's."""
    owner = artists_named(session, [exact]).get(exact)
    if owner is not None and owner.id != artist_id:
        raise Conflict(
            f"{exact!r} is already the name of {owner.slug!r}; choose another name, or merge "
            f"the two artists"
        )
    return owner is not None


def kept_names(session: Session, names: Collection[str]) -> dict[str, str]:
    """Return by what name the artists of these names and aliases go; others are left out."""
    kept = {name: artist.name for name, artist in artists_named(session, names).items()}
    return kept | dict.fromkeys(filter(is_nobody, names), NOBODYS_NAME)


def artist_by_slug(session: Session, slug: str) -> Artist:
    """Return an artist with aliases; raises NotFound, with the closest slugs as a hint.

    The slug of an artist that was merged leads to the one that it was merged into.
    """
    ids = union_all(  # an OR of both would have PostgreSQL read through all artists
        select(Artist.id).where(Artist.slug == slug),
        select(Change.artist_id).where(Change.merged_slug == slug),
    )
    wanted = select(Artist).where(Artist.id.in_(ids))
    artist = session.scalar(wanted.options(selectinload(Artist.aliases)))
    if artist is None:
        raise _unknown(session, slug)
    return artist


def artist_ids(session: Session, slugs: Collection[str]) -> set[UUID]:
    """Return the ids of the artists to whom these slugs lead; unknown ones are left out."""
    ids = union_all(
        select(Artist.id).where(Artist.slug.in_(slugs)),
        select(Change.artist_id).where(Change.merged_slug.in_(slugs)),
    )
    return set(session.scalars(ids))


def slugs_leading_to(session: Session, ids: Collection[UUID]) -> set[str]:
    """Return the slugs of these artists, and of those who were merged into them."""
    slugs: CompoundSelect[str | None] = union_all(
        select(Artist.slug).where(Artist.id.in_(ids)),
        select(Change.merged_slug).where(
            Change.artist_id.in_(ids), Change.merged_slug.is_not(None)
        ),
    )
    return {one for one in session.scalars(slugs) if one is not None}


def artists_by_id(session: Session, ids: Collection[UUID]) -> dict[UUID, Artist]:
    """Return the artists with these ids, without those that do not exist."""
    rows = session.scalars(select(Artist).where(Artist.id.in_(ids)))
    return {artist.id: artist for artist in rows}


def artists_named(session: Session, names: Collection[str]) -> dict[str, Artist]:
    """Return the artists who have these names or aliases, by them; others are left out."""
    by_name = session.scalars(select(Artist).where(Artist.name.in_(names)))
    found = {artist.name: artist for artist in by_name}
    by_alias = (
        select(Alias.name, Artist)
        .join(Artist, Artist.id == Alias.artist_id)
        .where(Alias.name.in_(names))
    )
    return dict(session.execute(by_alias).all()) | found


def all_artists(session: Session) -> list[tuple[Artist, int]]:
    """Return every artist, without nobody, with the number of indexed works, by slug."""
    rows = session.scalars(select(Artist).where(Artist.id != nobody()).order_by(Artist.slug))
    return [(artist, artist.works) for artist in rows]


def list_artists(
    session: Session,
    *,
    without_withdrawn: bool = False,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[tuple[Artist, int]]:
    """Return a page of artists, without nobody, with aliases and indexed works, by slug."""
    wanted = select(Artist).where(Artist.id != nobody())
    if without_withdrawn:
        wanted = wanted.where(Artist.withdrawn_at.is_(None))
    wanted = wanted.order_by(Artist.slug).limit(check_limit(limit))
    if cursor is not None:
        wanted = wanted.where(Artist.slug > text_key(cursor))
    rows = session.scalars(wanted.options(selectinload(Artist.aliases))).all()
    page = cut(rows, limit, lambda artist: (artist.slug,))
    return Page(tuple((artist, artist.works) for artist in page.items), page.next)


def artists_called(session: Session, name: str, *, limit: int) -> list[tuple[Artist, int]]:
    """Return the artists of whom a name or alias begins or ends like this, in any spelling.

    With aliases and indexed works, by slug; without nobody and those who have withdrawn. From each
    order of names `limit` are looked at: an index finds them.
    """
    found: set[UUID] = set()
    for id_, column, start in (
        (Artist.id, Artist.folded, fold(name)),
        (Artist.id, Artist.turned, turned(name)),
        (Alias.artist_id, Alias.folded, fold(name)),
    ):
        behind = select(id_, column).where(column >= start).order_by(column).limit(limit)
        found |= {one for one, text in session.execute(behind) if text.startswith(start)}
    wanted = select(Artist).where(
        Artist.id.in_(found), Artist.id != nobody(), Artist.withdrawn_at.is_(None)
    )
    rows = session.scalars(wanted.order_by(Artist.slug).options(selectinload(Artist.aliases)))
    return [(artist, artist.works) for artist in rows]


def portfolio_sizes(
    session: Session, artist_ids: Collection[UUID] | None = None
) -> dict[UUID, int]:
    """Return the number of indexed works of these artists, or of all; zeros are left out."""
    wanted = select(Artist.id, Artist.works).where(Artist.works > 0)
    if artist_ids is not None:
        wanted = wanted.where(Artist.id.in_(artist_ids))
    return dict(session.execute(wanted).all())


def proposed_aliases(session: Session) -> list[tuple[Artist, Artist]]:
    """Return pairs of artists whose names fold to the same: likely aliases, never merged."""
    other = aliased(Artist)
    pairs = (
        select(Artist, other)
        .join(other, (other.folded == Artist.folded) & (other.slug > Artist.slug))
        .where(Artist.id != nobody(), other.id != nobody())
        .order_by(Artist.slug, other.slug)
    )
    return [(one, two) for one, two in session.execute(pairs)]


def called_as_nobody(session: Session) -> list[Artist]:
    """Return the artists of an earlier version all of whose names mean nobody, by slug.

    Those that have withdrawn are left out, as their names stay closed; and those that a person has
    taken out of nobody by an undo.
    """
    undone = select(Change.artist_id).where(
        Change.kind == ChangeKind.UNDO, Change.from_artist_id == nobody()
    )
    wanted = select(Artist.id, Artist.name).where(
        Artist.id != nobody(), Artist.withdrawn_at.is_(None), Artist.id.not_in(undone)
    )
    with session.execute(wanted.execution_options(yield_per=STREAMED)) as names:
        meant = [artist for artist, name in names if is_nobody(name)]
    rows = select(Artist).where(Artist.id.in_(meant)).options(selectinload(Artist.aliases))
    return [
        row
        for row in session.scalars(rows.order_by(Artist.slug))
        if all(is_nobody(alias.name) for alias in row.aliases)
    ]


def get_or_create_nobody(session: Session) -> Artist:
    """Return the row that stands for nobody; it is made when it is needed first."""
    while (row := session.get(Artist, nobody())) is None:  # or another process took the slug
        slug = _free_slugs(session, [NOBODYS_NAME])[NOBODYS_NAME]
        named = {
            "name": NOBODYS_NAME,
            "slug": slug,
            "folded": fold(NOBODYS_NAME),
            "turned": turned(NOBODYS_NAME),
        }
        insert_new(session, Artist, [named | {"id": nobody()}])
    return row


def _nobody_by(session: Session, names: Iterable[str]) -> dict[str, Artist]:
    """Return the row that stands for nobody by those of these names that mean it."""
    meant = set(filter(is_nobody, names))
    return dict.fromkeys(meant, get_or_create_nobody(session)) if meant else {}


def _free_slugs(session: Session, names: Sequence[str]) -> dict[str, str]:
    """Choose a slug for every name: its own, or with the first number that is free."""
    own = {name: slugify(name) for name in names}
    slugs: dict[str, str] = {}
    number = 1
    while waiting := [name for name in names if name not in slugs]:
        tried = {name: own[name] if number == 1 else f"{own[name]}-{number}" for name in waiting}
        known = session.scalars(select(Artist.slug).where(Artist.slug.in_(tried.values())))
        merged = session.scalars(
            select(Change.merged_slug).where(Change.merged_slug.in_(tried.values()))
        )
        taken = {*known, *merged, *slugs.values()}
        for name, slug in tried.items():
            if slug not in taken:
                slugs[name] = slug
                taken.add(slug)
        number += 1
    return slugs


def _unknown(session: Session, slug: str) -> NotFound:
    """Return the error for an artist that does not exist, with those who may be meant."""
    known = session.scalars(select(Artist.slug).order_by(Artist.slug).limit(HINTS_FROM)).all()
    if not known:
        return NotFound(f"no artist {slug!r}: the catalogue is empty", hint=Hint(Way.INGEST))
    if close := get_close_matches(slug, known, n=3):
        meant = " or ".join(repr(one) for one in close)
        return NotFound(f"no artist {slug!r}; did you mean {meant}?")
    return NotFound(f"no artist {slug!r}", hint=Hint(Way.LIST_ARTISTS))
