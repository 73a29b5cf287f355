"""The use cases: whose work an image draws on, and which works match a search.

Reads from top to bottom like the README. What is *known* comes from the catalogue, what is
*near* from the index, what that *means* from `voting`, with the classifier beside it; nothing here
computes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import numpy as np
from pydantic import TypeAdapter
from sqlalchemy.orm import Session, sessionmaker

from attribution import voting
from attribution.catalog import queries
from attribution.catalog.models import Artwork, ArtworkStatus
from attribution.copies.finder import CopyFinder, FoundCopy
from attribution.errors import BadInput
from attribution.fitted import Fitted
from attribution.images import CheckedImage
from attribution.index.vector_index import VectorIndex
from attribution.ports import Encoder, TextEncoder
from attribution.types import (
    Attribution,
    Candidate,
    CopyMatch,
    Evidence,
    FoundWork,
    Hit,
    Neighbour,
    Probe,
    Searched,
    SearchResult,
    Vector,
    Verdict,
    Vote,
    Where,
)

ANSWER = TypeAdapter(Attribution)
"""Attribution to JSON and back; what is recorded is what was shown."""

WORKS_PER_ARTIST = 3


@dataclass(frozen=True)
class SearchQuery:
    """What a person asks for: words, a picture, or both, within a filter."""

    text: str | None = None
    image: CheckedImage | None = None
    artists: tuple[str, ...] = ()  # slugs
    licences: tuple[str, ...] = ()
    year_from: int | None = None
    year_to: int | None = None


class Attributor:
    """Answers questions about images from one collection."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        encoders: Sequence[Encoder],
        index: VectorIndex,
        *,
        profile: str,
        fingerprint: str,
        voters: Collection[str] = (voting.NEIGHBOURS, voting.CLASSIFIER),
    ) -> None:
        self._sessions = sessions
        self._encoders = encoders
        self._index = index
        self._copies = CopyFinder(sessions, encoders, index)
        self._profile = profile
        self._fingerprint = fingerprint
        self._voters = voters
        dims = {name: width for one in encoders for name, width in one.info.vectors.items()}
        self._fitted = Fitted(sessions, fingerprint, dims)

    def attribute(self, image: CheckedImage, *, limit: int = 5) -> Attribution:
        """Rank the artists an image most resembles, with the works that speak for each.

        `limit` artists at most, three works each. The answer is recorded and can be read again
        by its id.
        """
        vectors = self._encode(image)
        neighbours = self._index.neighbours(Probe(vectors), limit=voting.NEAREST)
        shares = self._shares(vectors)
        found = self._copies.find(image, neighbours)
        with self._sessions.begin() as session:
            rows = queries.artworks_by_id(session, _ids(neighbours), status=ArtworkStatus.INDEXED)
            neighbours = _known(neighbours, rows)
            votes = self._votes(neighbours, rows, shares)
            copy = _copy(session, found)
            searched = self._searched(session)
            answer = Attribution(
                id=uuid4(),
                created_at=datetime.now(UTC),
                image_sha256=image.facts.sha256,
                verdict=_verdict(copy, votes, searched.artists),
                copy_of=copy,
                artists=self._candidates(session, votes[:limit], rows, vectors),
                searched=searched,
                notes=(*image.facts.notes, *self._notes(searched, shares)),
            )
            queries.record_attribution(session, ANSWER.dump_python(answer, mode="json"))
        return answer

    def recall(self, attribution_id: UUID) -> Attribution:
        """Return an earlier answer as it was given; raises NotFound."""
        with self._sessions() as session:
            return ANSWER.validate_python(queries.attribution_by_id(session, attribution_id).answer)

    def search(self, query: SearchQuery, *, limit: int = 20) -> SearchResult:
        """Find works by words, by a picture or by both; each hit says what every leg gave.

        Legs: `text` (BM25 over title, tags, artist), `clip_text` (the words in CLIP's space),
        `clip_image` (the picture in CLIP's space). Raises BadInput without words and picture,
        NotFound for an unknown artist.
        """
        probe = self._probe(query)
        with self._sessions() as session:
            artists = [queries.artist_by_slug(session, slug) for slug in query.artists]
            where = Where(
                artist_ids=tuple(artist.id for artist in artists),
                licences=query.licences,
                year_from=query.year_from,
                year_to=query.year_to,
            )
            hits = self._index.search(probe, limit=limit, where=where)
            rows = queries.artworks_by_id(
                session, [hit.id for hit in hits], status=ArtworkStatus.INDEXED
            )
            found = [_found(rows[hit.id], hit) for hit in hits if hit.id in rows]
            return SearchResult(tuple(found), self._searched(session))

    def _encode(self, image: CheckedImage) -> dict[str, Vector]:
        vectors: dict[str, Vector] = {}
        for encoder in self._encoders:
            for name, rows in encoder.encode([image.rgb]).items():
                vectors[name] = rows[0]
        return vectors

    def _shares(self, vectors: Mapping[str, Vector]) -> Mapping[UUID, float]:
        """Ask the second voter; it says nothing when switched off, or while it knows nobody."""
        if voting.CLASSIFIER not in self._voters:
            return {}
        classifier = self._fitted.current()
        return classifier.shares(vectors) if classifier else {}

    def _votes(
        self,
        neighbours: Mapping[str, Sequence[Neighbour]],
        rows: Mapping[UUID, Artwork],
        shares: Mapping[UUID, float],
    ) -> list[Vote]:
        if voting.NEIGHBOURS not in self._voters:
            return voting.join_votes([], shares)
        sizes = {row.artist.id: row.artist.works for row in rows.values()}
        return voting.join_votes(voting.cast_votes(neighbours, sizes), shares)

    def _probe(self, query: SearchQuery) -> Probe:
        text = query.text.strip() if query.text else None
        if not text and query.image is None:
            raise BadInput("nothing to search for: give words, an image or both")
        vectors: dict[str, Vector] = {}
        using: dict[str, str] = {}
        for encoder in self._encoders:
            if not isinstance(encoder, TextEncoder):
                continue
            space = encoder.text_vector
            if text:
                vectors[f"{space}_text"] = encoder.encode_text([text])[0]
                using[f"{space}_text"] = space
            if query.image is not None:
                vectors[f"{space}_image"] = encoder.encode([query.image.rgb])[space][0]
                using[f"{space}_image"] = space
        return Probe(vectors, text=text, using=using)

    def _candidates(
        self,
        session: Session,
        votes: Sequence[Vote],
        rows: Mapping[UUID, Artwork],
        vectors: Mapping[str, Vector],
    ) -> tuple[Candidate, ...]:
        artists = queries.artists_by_id(session, [vote.artist_id for vote in votes])
        rows = dict(rows)
        shown = {
            vote.artist_id: vote.works[:WORKS_PER_ARTIST]
            or self._nearest(session, vote.artist_id, rows, vectors)
            for vote in votes
        }
        stored = self._index.vectors([work for works in shown.values() for work in works])
        return tuple(
            Candidate(
                slug=artists[vote.artist_id].slug,
                name=artists[vote.artist_id].name,
                score=vote.share,
                spaces=vote.spaces,
                works=tuple(
                    Evidence(work, rows[work].title, _cosines(vectors, stored[work]))
                    for work in shown[vote.artist_id]
                    if work in stored  # one may have been withdrawn meanwhile
                ),
                voters=vote.voters,
            )
            for vote in votes
            if artists[vote.artist_id].works  # all may have been withdrawn meanwhile
        )

    def _nearest(
        self,
        session: Session,
        artist_id: UUID,
        rows: dict[UUID, Artwork],
        vectors: Mapping[str, Vector],
    ) -> tuple[UUID, ...]:
        """Return the nearest works of an artist whom no neighbour spoke for; adds their rows."""
        where = Where(artist_ids=(artist_id,))
        found = self._index.neighbours(Probe(vectors), limit=WORKS_PER_ARTIST, where=where)
        own = queries.artworks_by_id(session, _ids(found), status=ArtworkStatus.INDEXED)
        rows |= own
        fused = voting.cast_votes(_known(found, own), {})
        return fused[0].works[:WORKS_PER_ARTIST] if fused else ()

    def _notes(self, searched: Searched, shares: Mapping[UUID, float]) -> Iterator[str]:
        if searched.artists < voting.FEWEST_ARTISTS:
            yield (
                f"only {searched.artists} artists are registered: nobody can stand out among so few"
            )
        if searched.works and not shares and voting.CLASSIFIER in self._voters:
            yield "the classifier is not made yet (`lawful reconcile --repair`): neighbours alone"

    def _searched(self, session: Session) -> Searched:
        artists, works = queries.searchable(session)
        return Searched(works, artists, self._profile, self._fingerprint)


def _ids(neighbours: Mapping[str, Sequence[Neighbour]]) -> list[UUID]:
    return list({hit.id for hits in neighbours.values() for hit in hits})


def _known(
    neighbours: Mapping[str, Sequence[Neighbour]], rows: Mapping[UUID, Artwork]
) -> dict[str, list[Neighbour]]:
    """Drop points that the catalogue does not know: it is the truth, the index a projection."""
    return {space: [hit for hit in hits if hit.id in rows] for space, hits in neighbours.items()}


def _cosines(query: Mapping[str, Vector], stored: Mapping[str, Vector]) -> dict[str, float]:
    return {space: float(np.dot(query[space], stored[space])) for space in query}


def _verdict(copy: CopyMatch | None, votes: Sequence[Vote], artists: int) -> Verdict:
    if copy:
        return Verdict.COPY
    if votes and votes[0].share >= voting.stands_out(artists):
        return Verdict.CANDIDATES
    return Verdict.ABSTAIN


def _copy(session: Session, found: FoundCopy | None) -> CopyMatch | None:
    """Say what is known of the work that an image copies; None if it was withdrawn meanwhile."""
    if found is None:
        return None
    work = queries.artworks_by_id(session, [found.work], status=ArtworkStatus.INDEXED).get(
        found.work
    )
    if work is None:
        return None
    claims = queries.claims_for(session, [work.id]).get(work.id, [])
    return CopyMatch(
        id=work.id,
        title=work.title,
        slug=work.artist.slug,
        name=work.artist.name,
        match=found.match,
        distance=found.distance,
        also_claimed_by=tuple(claim.artist.slug for claim in claims),
        overlap=found.overlap,
        kind=found.kind,
        agreement=found.agreement,
    )


def _found(work: Artwork, hit: Hit) -> FoundWork:
    return FoundWork(
        id=work.id,
        title=work.title,
        slug=work.artist.slug,
        name=work.artist.name,
        licence=work.licence,
        year=work.year,
        score=hit.score,
        legs=hit.legs,
    )
