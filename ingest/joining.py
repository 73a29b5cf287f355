"""Whose the works of a source are: spellings that the catalogue knows, that join, that are new.

What is decided here is said; `queries.join_spellings` does it, in the transaction that writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import Artist, NameRule
from attribution.catalogue.names import fold, near
from attribution.catalogue.nobody import is_nobody
from attribution.catalogue.queries import Origin
from attribution.catalogue.spellings import Spelling, Whose, whose
from attribution.collection import Stores

COMPARED = 1_000  # names of a dry run that are compared with others


class Spellings:
    """Tells whose works are; of new names the first one seen is the artist's."""

    def __init__(self, rule: NameRule) -> None:
        self._rule = rule
        self._new: dict[str, list[Spelling]] = {}  # by fold

    def of(self, session: Session, names: Iterable[str]) -> dict[str, Whose]:
        """Tell whose works are that come under these names."""
        asked = list(dict.fromkeys(names))
        known = queries.known_spellings(session, asked)
        found: dict[str, Whose] = {}
        for name in asked:
            folded = fold(name)
            alike = [*known.get(folded, ()), *self._new.get(folded, ())]
            found[name] = whose(name, alike, self._rule)
            if any(one.text == name for one in alike) or found[name].refused or is_nobody(name):
                continue
            hers = found[name].joins
            spelling = Spelling(name, hers.artist, hers.slug) if hers else Spelling(name, name)
            self._new.setdefault(folded, []).append(spelling)
        return found


def foreseen(session: Session, names: Iterable[str], rule: NameRule) -> list[str]:
    """Say of the names of works that would come in what a job would say of them.

    New names are compared with registered ones and with each other.
    """
    found = Spellings(rule).of(session, [name for name in names if not is_nobody(name)])
    said = [f"{name} would join {one.joins}" for name, one in found.items() if one.joins]
    compared = {name: found[name].artist for name in list(found)[:COMPARED]}
    said += dict.fromkeys(_likely(session, compared))
    if len(found) > COMPARED:
        said.append(f"only the first {COMPARED:,} names were compared with others")
    return said


def ask(
    stores: Stores,
    names: Iterable[str],
    is_theirs: Callable[[str, Spelling], bool],
    origin: Origin,
) -> None:
    """Have a person say whose those names are that may be somebody's; the answers are kept.

    A yes is a confirmed alias, a no an artist of their own.
    """
    spellings = Spellings(NameRule.ASK)
    for name in names:
        with stores.sessions() as session:
            found = spellings.of(session, [name])[name]
        if found.refused is None or found.is_closed:
            continue
        theirs = next((one for one in found.candidates if is_theirs(name, one)), None)
        others = [one.artist for one in found.candidates]  # new ones of this source among them
        with stores.sessions.begin() as session:
            artists = queries.get_or_create_artists(session, others if theirs else [*others, name])
            if theirs and queries.add_alias(session, artists[theirs.artist].id, name):
                queries.record_alias(session, artists[theirs.artist].id, name, origin)


def has_joined(name: str, hers: Spelling) -> str:
    """Say that a spelling has become an alias."""
    return f"{name} joined {hers}"


def resembles(artist: Artist, other: Artist) -> str:
    """Say that two artists may be one, and how they become one."""
    old, new = sorted((artist, other), key=lambda each: (each.created_at, each.slug))
    return (
        f"{_shown(new)} resembles {_shown(old)}; if they are one artist, merge {new.slug} into "
        f"{old.slug}"
    )


def _likely(session: Session, owners: Mapping[str, str]) -> Iterator[str]:
    """Say which artists may be one; `owners` are by name the artists who would have the works."""
    registered = queries.artists_named(session, set(owners.values()))
    own = {name: registered.get(owner) for name, owner in owners.items()}
    ids = {name: artist.id if artist else None for name, artist in own.items()}
    for name, other in queries.likely_aliases(session, ids):
        artist = own[name]
        yield resembles(artist, other) if artist else f"{owners[name]} resembles {_shown(other)}"
    new = [owner for owner in dict.fromkeys(owners.values()) if owner not in registered]
    for pair in near(owners):
        for name, founder in (pair, pair[::-1]):
            artist, owner = own[name], owners[name]
            if founder not in new or founder == owner:
                continue
            old, late = (owner, founder) if artist else sorted((owner, founder), key=new.index)
            yield f"{late} resembles {_shown(artist) if artist else old}"


def _shown(artist: Artist) -> str:
    return f"{artist.name} ({artist.slug})"
