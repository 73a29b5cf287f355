"""Statements about spellings: names and aliases that fold alike, and names that are near."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from sqlalchemy import Row, Select, bindparam, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from attribution.catalogue.insert import insert_new
from attribution.catalogue.models import Alias, Artist, Change, ChangeKind, NameRule
from attribution.catalogue.names import NEIGHBOURS, fold, may_be_one, tidy, turned
from attribution.catalogue.nobody import is_nobody
from attribution.catalogue.queries.artists import get_or_create_artists, lock_names
from attribution.catalogue.queries.changes import Origin, record_alias
from attribution.catalogue.spellings import Spelling, whose
from attribution.errors import Conflict


def known_spellings(session: Session, names: Collection[str]) -> dict[str, list[Spelling]]:
    """Return the names and aliases that fold like these, by their fold, the oldest artist first."""
    folds = {fold(name) for name in names}
    spelt = union_all(
        select(Artist.id.label("artist_id"), Artist.name, Artist.folded).where(
            Artist.folded.in_(folds)
        ),
        select(Alias.artist_id, Alias.name, Alias.folded).where(Alias.folded.in_(folds)),
    ).subquery()
    rows = session.execute(
        select(
            spelt.c.name,
            spelt.c.folded,
            Artist.id,
            Artist.name,
            Artist.slug,
            Artist.works,
            Artist.withdrawn_at,
        )
        .join(Artist, Artist.id == spelt.c.artist_id)
        .order_by(Artist.created_at, Artist.id, spelt.c.name)
    ).all()
    is_all_known = set(names) <= {row[0] for row in rows}
    parted = {} if is_all_known else _parted(session, {row[2] for row in rows})
    known: dict[str, list[Spelling]] = defaultdict(list)
    for text, folded, artist, name, slug, works, withdrawn_at in rows:
        has_withdrawn, apart = withdrawn_at is not None, frozenset(parted.get(artist, ()))
        known[folded].append(Spelling(text, name, slug, works, artist, has_withdrawn, apart))
    return known


def join_spellings(
    session: Session, names: Iterable[str], rule: NameRule, origin: Origin
) -> list[tuple[str, Spelling]]:
    """Have unknown spellings join the artist of their fold, or found one; returns who joined.

    Of several new ones the first names the artist. A spelling becomes an alias by a change, which
    can be undone. Raises Conflict where a person has to say whose it is.
    """
    waiting = [name for name in dict.fromkeys(map(tidy, names)) if not is_nobody(name)]
    joined: list[tuple[str, Spelling]] = []
    known = known_spellings(session, waiting)
    if rule is NameRule.NEW or _all_known(waiting, known):
        return joined
    lock_names(session, waiting)
    while waiting:
        known = known_spellings(session, waiting)
        first = {fold(name): name for name in reversed(waiting)}  # the others look again
        founders = []
        for folded, name in first.items():
            found = whose(name, known.get(folded, []), rule)
            if found.refused is not None:
                raise Conflict(found.refused)
            if found.joins is None:
                founders.append(name)
            elif _become_alias(session, name, found.joins, origin):
                joined.append((name, found.joins))
        get_or_create_artists(session, founders)
        waiting = [name for name in waiting if name not in first.values()]
    return joined


def closed_artists(session: Session, names: Collection[str]) -> set[str]:
    """Return those of these names whose artist has withdrawn, by this spelling or by another."""
    known = known_spellings(session, names)
    return {
        name for name in names if whose(name, known.get(fold(name), []), NameRule.NEW).is_closed
    }


def likely_aliases(session: Session, owners: Mapping[str, UUID | None]) -> list[tuple[str, Artist]]:
    """Return registered artists whose names resemble some of these, and are not the same artist.

    `owners` are by name the artists whose it is, None for one that is not registered yet.
    Compared are the neighbours of each name, 20 on each side, where names are sorted by their
    folded words forwards and backwards: two names with neither end in common are not found.
    """
    found = [
        (name, artist)
        for name, own in owners.items()
        if not is_nobody(name)
        for artist, other in _neighbours(session, name)
        if artist != own and not is_nobody(other) and may_be_one(name, other)
    ]
    wanted = select(Artist).where(Artist.id.in_({artist for _, artist in found}))
    artists = {artist.id: artist for artist in session.scalars(wanted)} if found else {}
    return [(name, artists[artist]) for name, artist in found]


def _all_known(names: Iterable[str], known: dict[str, list[Spelling]]) -> bool:
    return set(names) <= {one.text for theirs in known.values() for one in theirs}


def _parted(session: Session, artists: Collection[UUID]) -> dict[UUID, set[str]]:
    """Return the aliases that people have taken back from artists."""
    undone = select(Change.artist_id, Change.before).where(
        Change.artist_id.in_(artists), Change.kind == ChangeKind.UNDO
    )
    parted: dict[UUID, set[str]] = defaultdict(set)
    for artist_id, before in session.execute(undone):
        if before.keys() == {"alias"}:
            parted[artist_id].add(before["alias"])
    return parted


def _become_alias(session: Session, name: str, hers: Spelling, origin: Origin) -> bool:
    """Make a spelling an alias; False when somebody did so by hand just now."""
    if hers.artist_id is None:
        raise ValueError(f"{hers.artist!r} is not registered")
    row = {"name": name, "folded": fold(name), "artist_id": hers.artist_id}
    if not insert_new(session, Alias, [row], returning=Alias.name):
        return False
    record_alias(session, hers.artist_id, name, origin)
    return True


def _neighbours(session: Session, name: str) -> Iterable[Row[UUID, str]]:
    """Return the artists next to a name in two orders of names, each once, with their names."""
    values = {"folded": fold(name), "turned": turned(name)}
    return session.execute(_NEIGHBOURS, values)


def _beside(column: InstrumentedAttribute[str], *, is_before: bool) -> Select[UUID]:
    value = bindparam(column.key, type_=column.type)
    side = column < value if is_before else column >= value
    order = column.desc() if is_before else column
    return select(Artist.id).where(side).order_by(order).limit(NEIGHBOURS)


_LOOKS = [
    _beside(column, is_before=is_before)
    for column in (Artist.folded, Artist.turned)
    for is_before in (False, True)
]
_NEIGHBOURS = select(Artist.id, Artist.name).where(  # built once: it is asked for each name
    Artist.id.in_(union_all(*(select(look.subquery().c.id) for look in _LOOKS))),
    Artist.withdrawn_at.is_(None),
)
