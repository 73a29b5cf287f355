"""Whose works a contributor may bring: those of the artists that their key is kept to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from attribution.catalogue import queries
from attribution.catalogue.models import NameRule
from attribution.catalogue.names import fold, tidy
from attribution.catalogue.spellings import whose
from attribution.collection import Stores
from ingest.sources import SourceItem

OTHER_ARTIST = "other-artist"  # what the audit calls a refusal


class OwnArtists:
    """Tells which names are those of some artists, as the ingest of a job would."""

    def __init__(self, stores: Stores, slugs: Collection[str], rule: NameRule) -> None:
        self.slugs, self._sessions, self._rule = slugs, stores.sessions, rule
        self._known: dict[str, str | None] = {}
        self.refused = 0  # items of others among those that came

    def refusal(self, name: str) -> str | None:
        """Return why works may not be brought under a name; None where they may."""
        if name not in self._known:
            self._known[name] = None if self._is_theirs(tidy(name)) else self._said(name)
        return self._known[name]

    def only(self, items: Iterable[SourceItem]) -> Iterator[SourceItem]:
        """Yield items as they come; those of others are refused, and nothing they say counts."""
        for item in items:
            reason = self.refusal(item.artist) if item.artist else item.refused
            self.refused += bool(item.artist and reason)
            yield replace(item, refused=item.refused or reason, said=()) if reason else item

    def _is_theirs(self, name: str) -> bool:
        with self._sessions() as session:
            spelt = queries.known_spellings(session, [name]).get(fold(name), [])
            kept = whose(name, spelt, self._rule).artist
            artist = queries.artists_named(session, [kept]).get(kept)
            return artist is not None and artist.id in queries.artist_ids(session, self.slugs)

    def _said(self, name: str) -> str:
        return (
            f"{name!r} is none of the artists that the key is kept to: "
            f"{', '.join(sorted(self.slugs))}"
        )
