"""Whose a spelling is, of the names that fold alike. No database here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from attribution.catalogue.models import NameRule
from attribution.catalogue.names import tells_apart
from attribution.catalogue.nobody import NOBODYS_NAME, is_nobody


@dataclass(frozen=True)
class Spelling:
    """A name or an alias, and whose it is."""

    text: str
    artist: str  # by name
    slug: str | None = None  # none: the artist is new, and not in the catalogue yet
    works: int = 0
    artist_id: UUID | None = None
    has_withdrawn: bool = False
    parted: frozenset[str] = frozenset()  # spellings that a person has taken back from the artist

    def may_be(self, name: str) -> bool:
        """Whether another spelling of this fold may belong to the same artist."""
        is_told_apart = any(tells_apart(name, known) for known in (self.text, self.artist))
        return not is_told_apart and name not in self.parted

    def __str__(self) -> str:
        """Name the artist."""
        return f"{self.artist} ({self.slug})" if self.slug else self.artist


@dataclass(frozen=True)
class Whose:
    """By what artist works come under a spelling."""

    artist: str  # by the name that the catalogue has, or will have
    candidates: tuple[Spelling, ...] = ()  # whose the spelling is not, and may be
    joins: Spelling | None = None  # the one of them whose it becomes
    is_closed: bool = False  # the artist has withdrawn, or one whose spelling it may be
    refused: str | None = None

    def of_work(self, owner: str) -> str:
        """Return the artist of a known work: its owner where the spelling may be the owner's.

        So what such a spelling forbids is heard, whoever has still to say whose it is.
        """
        is_theirs = self.refused and any(one.artist == owner for one in self.candidates)
        return owner if is_theirs else self.artist


def whose(name: str, known: Sequence[Spelling], rule: NameRule) -> Whose:
    """Tell whose a spelling is, of the known ones that fold to the same."""
    if is_nobody(name):  # but an artist of that very name may have withdrawn, in an earlier version
        return Whose(
            NOBODYS_NAME, is_closed=any(one.has_withdrawn for one in known if one.text == name)
        )
    for one in known:
        if one.text == name:
            return Whose(one.artist, is_closed=one.has_withdrawn)
    of_artist: dict[str, list[Spelling]] = {}
    for one in known:
        of_artist.setdefault(one.artist, []).append(one)
    candidates = tuple(
        theirs[0] for theirs in of_artist.values() if all(one.may_be(name) for one in theirs)
    )
    is_closed = any(one.has_withdrawn for one in candidates)
    if not candidates or rule is NameRule.NEW:
        return Whose(name, candidates, is_closed=is_closed)
    if rule is NameRule.JOIN and len(candidates) == 1:
        (hers,) = candidates
        return Whose(hers.artist, candidates, joins=hers, is_closed=is_closed)
    return Whose(name, candidates, is_closed=is_closed, refused=_refusal(name, candidates, rule))


def _refusal(name: str, candidates: Sequence[Spelling], rule: NameRule) -> str:
    listed = " or ".join(map(str, candidates))
    if rule is NameRule.ASK:
        return f"{name} may be {listed}: ingest it with names=join or names=new"
    slugs = [one.slug for one in candidates if one.slug]
    return (
        f"{name} may be {listed}: make it an alias of {slugs[0] if slugs else 'its artist'}, or "
        f"ingest it with names=new"
    )
