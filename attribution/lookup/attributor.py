"""The use cases: whose work an image draws on, and which works match a search.

Reads from top to bottom like the README. What is *known* comes from the catalogue, what is
*near* from the index, what that *means* from `voting`, with the classifier beside it; nothing here
computes.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from heapq import nlargest
from importlib.metadata import version
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy.orm import Session

from attribution import tenants
from attribution.answers import (
    Attribution,
    Confidence,
    CopyKind,
    CopyMatch,
    Pins,
    Reason,
    Searched,
    Verdict,
    read_answer,
    write_answer,
)
from attribution.arithmetic import voting
from attribution.arithmetic.calibration import (
    FEWEST_ARTISTS,
    FEWEST_WORKS,
    Signs,
    judge,
    together,
)
from attribution.arithmetic.deciding import decide
from attribution.catalogue import queries
from attribution.catalogue.archive import whole
from attribution.catalogue.belief import Belief, believe
from attribution.catalogue.chain import note
from attribution.catalogue.licences import identify
from attribution.catalogue.models import Artist, Artwork, ArtworkStatus
from attribution.catalogue.nobody import nobody
from attribution.chunks import chunks
from attribution.collection import Collection
from attribution.copies.finder import CopyFinder, Finding
from attribution.copies.hashes import hashes
from attribution.copies.matches import claimed, laid_on, of_now, silenced
from attribution.copies.membership import membership
from attribution.encoders.encoder import Lane, of_lane
from attribution.encoders.encoder_set import EncoderSet
from attribution.errors import BadInput, Conflict, RecordAltered
from attribution.images import CheckedImage, lineages
from attribution.index.points import Hit, Probe, Where
from attribution.index.vector_index import ANYWHERE
from attribution.lookup.differences import Difference, State, differences
from attribution.lookup.exhibits import (
    NO_EXHIBITS,
    Exhibits,
    candidates,
    choose,
    ids_of,
    known,
    somebodys,
)
from attribution.lookup.gaps import Gap, Gaps
from attribution.lookup.recomputing import Recomputed, recompute
from attribution.lookup.results import (
    Facets,
    FoundWork,
    Member,
    SearchResult,
    SetArtist,
    SetAttribution,
    WrongFindings,
)
from attribution.lookup.search_pages import SearchPage, Shown
from attribution.lookup.search_query import SearchBy, SearchQuery, check_query
from attribution.lookup.turns import Turns
from attribution.lookup.wording import not_weighed
from attribution.lookup.workings import keep, kept, workings
from attribution.types import Vector
from attribution.voters.panel import Opinion, Panel

PROGRAM = version("lawful-diffusion")
AT_ONCE = max(2, os.cpu_count() or 1)  # lookups: each takes a core, most of the time
RECALLED = 500  # answers that are read at once
COUNTED = 200  # works found first, of which a search counts artists and licences
BLANK = "the image is blank: it shows nothing that could be recognised"

Also = Callable[[Session, Attribution], None]
"""Writes what else is to be kept, in the transaction that records an answer."""


def nothing_else(_session: Session, _answer: Attribution) -> None:
    """Keep the answer alone."""


_LANES = {SearchBy.SUBJECT: Lane.CONTENT, SearchBy.STYLE: Lane.STYLE}


@dataclass(frozen=True)
class _Seen:
    """What is near an image, before the catalogue says whose it is."""

    finding: Finding
    opinion: Opinion
    exhibits: Exhibits
    gap: Gap | None = None  # of the index that was asked


_NOTHING = _Seen(Finding(None, ()), Opinion((), None, None, ()), NO_EXHIBITS)


class Attributor:
    """Answers questions about images from one collection."""

    def __init__(
        self,
        collection: Collection,
        encoders: EncoderSet,
        *,
        panel_of: Callable[[str], Panel],
    ) -> None:
        settings, sessions, row = collection.settings, collection.sessions, collection.row
        self._collection = collection
        self._sessions = sessions
        self._encoders = encoders
        self._index = collection.index
        self._copies = CopyFinder(sessions, encoders, collection.index)
        self._gaps = Gaps(collection)
        self._profile = settings.profile
        self._fingerprint = row.fingerprint
        self._panel_of = panel_of
        self._turns = Turns(
            at_once=AT_ONCE, most=settings.most_lookups, wait_s=settings.lookup_wait_s
        )

    def attribute(
        self,
        image: CheckedImage,
        *,
        limit: int = 5,
        also: Also = nothing_else,
        is_thorough: bool = True,
    ) -> Attribution:
        """Rank the artists an image most resembles, with the works that speak for each.

        `limit` artists at most, three works each. The answer is recorded and can be read again
        by its id; what `also` raises undoes that. `is_thorough`: see `Attribution`. Raises
        BackendUnavailable where as many lookups are in hand as the settings allow, or its turn does
        not come in time.
        """
        return self._attribute(image, also, limit, is_thorough=is_thorough)[0]

    def attribute_set(
        self,
        images: Sequence[CheckedImage],
        *,
        limit: int = 5,
        also: Sequence[Also] | None = None,
        is_thorough: bool = True,
    ) -> SetAttribution:
        """Rank the artists of images that are by one hand, as one answer beside each image's own.

        Near-duplicates among the images count as one picture; those that show too little are
        answered and left out of the common answer. `also` is one for each image. Raises BadInput
        without an image.
        """
        if not images:
            raise BadInput("a set needs at least one image")
        each = also or [nothing_else] * len(images)
        found = [
            self._attribute(*pair, limit, is_thorough=is_thorough, has_begun=number > 0)
            for number, pair in enumerate(zip(images, each, strict=True))
        ]
        answers = tuple(answer for answer, _ in found)
        shown = [
            number
            for number, image in enumerate(images)
            if not (image.is_blank or image.is_plain) and answers[number].withdrawn_at is None
        ]
        if not shown:
            why = tuple(dict.fromkeys(reason for one in answers for reason in one.reasons))
            return SetAttribution(answers, 0, Verdict.ABSTAIN, why, None, None, ())
        turned = [[int(one, 16) for one in hashes(images[n].rgb).values()] for n in shown]
        pictures = lineages(np.array(turned, np.uint64)).tolist()
        different = dict(zip(reversed(pictures), reversed(shown), strict=True)).values()
        odds = [one for n in shown if (one := found[n][1].odds) is not None]
        if len(odds) < len(shown):
            gaps = (Reason.INCOMPLETE_INDEX,) if any(map(_is_incomplete, answers)) else ()
            why = gaps or (Reason.NOT_CALIBRATED,)
            return SetAttribution(answers, len(different), Verdict.ABSTAIN, why, None, None, ())
        joint = together(odds, pictures)
        with self._sessions() as session:
            present = queries.portfolio_sizes(session, joint.artists)
            joint = joint.among(present)  # one may have been withdrawn or merged meanwhile
            best = nlargest(limit, joint.artists, key=lambda one: (joint.artists[one], one))
            rows = queries.artists_by_id(session, best)
        votes = [vote for n in different for vote in found[n][1].votes]
        is_by_subject = bool(best) and self._is_by_subject(best[0], votes)
        verdict, reasons = judge(
            Signs.of(joint, is_by_subject=is_by_subject),
            known_works=rows[best[0]].works if best else 0,
        )
        artists = [
            SetArtist(rows[one].slug, rows[one].name, joint.artists[one], joint.p_values[one])
            for one in best
        ]
        return SetAttribution(
            *(answers, len(different), verdict, reasons),
            *(joint.nobody, joint.p_nobody, tuple(artists)),
        )

    def member(self, image: CheckedImage) -> Member:
        """Say whether an image, or a near copy of it, is registered.

        The answer is not kept, the audit says that it was asked for.
        """
        with self._turns.taken():
            found = self._member(image)
        with self._sessions.begin() as session:
            kind = found.copy_of and found.copy_of.kind
            note(session, "member", None, image_sha256=image.facts.sha256, found=kind)
        return found

    def _member(self, image: CheckedImage) -> Member:
        notes = image.facts.notes
        if image.is_blank:
            with self._sessions() as session:
                searched = self._searched(session)
            return Member(None, None, None, searched, is_blank=True, notes=(*notes, BLANK))
        with self._sessions() as session:
            if withdrawn_at := queries.withdrawn_at(session, image.facts.sha256):
                searched = self._searched(session)
                return Member(None, None, None, searched, notes=notes, withdrawn_at=withdrawn_at)
        gap, found = self._gaps.last(), membership(self._copies, image)
        with self._sessions() as session:
            match = laid_on(session, found.finding.copied)
            declared = silenced(session, found.finding.silenced, image.facts.sha256)
            searched = self._searched(session, gap)
        why, wrong = (Reason.INCOMPLETE_INDEX,) if gap else (), found.wrong
        rate = None
        if match and wrong and not gap:
            rate = WrongFindings(wrong.asked, wrong.found, wrong.upper)
        return Member(*claimed(match), rate, searched, notes=notes, declared=declared, reasons=why)

    def compared(self, phash: str, vectors: Mapping[str, Vector]) -> set[UUID]:
        """Return the works that an image would be compared with first, as `CopyFinder.compared`."""
        return self._copies.compared(phash, vectors)

    def recall(self, attribution_id: UUID) -> Attribution:
        """Return an earlier answer; raises NotFound."""
        with self._sessions() as session:
            return recalled(session, [attribution_id])[0]

    def differences(self, attribution_id: UUID) -> list[Difference]:
        """Return what has become different since an earlier answer; raises NotFound."""
        return self.differences_of_each([attribution_id])[attribution_id]

    def differences_of_each(self, ids: Sequence[UUID]) -> dict[UUID, list[Difference]]:
        """Return what has become different since earlier answers, by id; raises NotFound."""
        voters, calibration = self._panel_of(tenants.current()).state()
        with self._sessions() as session:
            now = State(PROGRAM, self._searched(session), voters, calibration)
            answers = recalled(session, ids)
            return {one.id: differences(session, one, now) for one in answers}

    def recompute(self, attribution_id: UUID) -> Recomputed:
        """Do the arithmetic of an earlier answer again, from what is kept of it.

        Raises NotFound where there is no such answer, Conflict where nothing is kept to compute
        from.
        """
        with self._sessions() as session:
            answer = recalled(session, [attribution_id])[0]
            found = kept(session, answer)
        if found is None:
            raise Conflict(f"answer {attribution_id} cannot be computed again: {_nothing(answer)}")
        return recompute(answer, found)

    def search(
        self,
        query: SearchQuery,
        *,
        limit: int = 20,
        cursor: str | None = None,
        facets: bool = False,
    ) -> SearchResult:
        """Find works by words, by a picture or by both; each hit says what every leg gave.

        A page of at most `limit`; later pages look deeper, up to `search_pages.MOST` works.

        Legs: `text` (BM25 over title, tags, artist), and by space what was compared in it:
        `clip_text` (words), `clip_image`, `clip_style_image` (the picture). Raises BadInput without
        words and picture, or without what is searched by; NotFound for an unknown artist.
        `facets` are counted over the first COUNTED works, never over the catalogue.
        """
        check_query(query)
        shown, notes = Shown.of(query, cursor), tuple[str, ...]()
        if query.image is not None and query.image.is_blank:
            query, notes = replace(query, image=None), (BLANK,)
        probe = self._probe(query)
        with self._sessions() as session:
            artists = [queries.artist_by_slug(session, slug) for slug in query.artists]
            where = Where(
                artist_ids=tuple(artist.id for artist in artists),
                licences=_filter(query.licences),
                year_from=query.year_from,
                year_to=query.year_to,
            )
            gap = self._gaps.last() if probe else None
            page = SearchPage()
            if probe:
                search = partial(self._index.search, probe, where=where)
                counting = COUNTED if facets else 0
                page = shown.page(lambda most: search(limit=most), limit, counting=counting)
            ids = {hit.id for hit in (*page.hits, *page.counted)}
            rows = queries.artworks_by_id(session, ids, status=ArtworkStatus.INDEXED)
            found = [_found(rows[hit.id], hit) for hit in page.hits if hit.id in rows]
            counted = [rows[hit.id] for hit in page.counted if hit.id in rows]
            return SearchResult(
                tuple(found),
                self._searched(session, gap),
                (*notes, *page.notes),
                page.next,
                facets=_facets(counted) if facets else None,
            )

    def _attribute(
        self,
        image: CheckedImage,
        also: Also,
        limit: int,
        *,
        is_thorough: bool,
        has_begun: bool = False,
    ) -> tuple[Attribution, Opinion]:
        with self._turns.taken(has_begun=has_begun):
            return self._answered(image, also, limit, is_thorough=is_thorough)

    def _answered(
        self, image: CheckedImage, also: Also, limit: int, *, is_thorough: bool
    ) -> tuple[Attribution, Opinion]:
        with self._sessions() as session:
            withdrawn_at = queries.withdrawn_at(session, image.facts.sha256)
            has_nobodys = bool(queries.portfolio_sizes(session, [nobody()]))
        shows_nothing = image.is_blank or withdrawn_at
        seen = _NOTHING
        if not shows_nothing:
            seen = self._look(image, limit, has_nobodys=has_nobodys, is_thorough=is_thorough)
        opinion, gap = seen.opinion, seen.gap
        with self._sessions.begin() as session:
            match = laid_on(session, seen.finding.copied)
            copy_of, related_to = claimed(match)
            searched = self._searched(session, gap)
            artists = queries.artists_by_id(session, [*seen.exhibits.works])
            verdict, reasons = self._verdict(image, match, opinion, artists, searched)
            if withdrawn_at:  # whoever comes near it now is not who made it
                verdict, reasons = Verdict.ABSTAIN, (Reason.WITHDRAWN,)
            if gap:
                others = (one for one in reasons if one is not Reason.NOT_CALIBRATED)
                reasons = (Reason.INCOMPLETE_INDEX, *others)
            made_of = self._workings(image, opinion, artists)
            answer = Attribution(
                id=uuid4(),
                created_at=datetime.now(UTC),
                image_sha256=image.facts.sha256,
                verdict=verdict,
                copy_of=copy_of,
                related_to=related_to,
                artists=candidates(session, opinion, artists, seen.exhibits),
                searched=searched,
                notes=(
                    *image.facts.notes,
                    *image.facts.credentials.notes,
                    *([BLANK] if image.is_blank else ()),
                    *(() if shows_nothing else _notes(searched, opinion)),
                ),
                reasons=reasons,
                confidence=_confidence(opinion),
                credentials=image.facts.credentials.state,
                withdrawn_at=withdrawn_at,
                declared=silenced(session, seen.finding.silenced, image.facts.sha256),
                pins=_pins(session, opinion, made_of),
                is_thorough=is_thorough,
            )
            queries.record_attribution(session, write_answer(answer))
            keep(session, answer, opinion, made_of, self._collection.settings.subject_days)
            also(session, answer)
        return answer, opinion

    def _look(
        self, image: CheckedImage, limit: int, *, has_nobodys: bool, is_thorough: bool
    ) -> _Seen:
        """Ask the index, the copy lane and the voters about an image that shows something.

        Outside of any transaction: an index that is slow holds up no writer, and the voters read
        the catalogue on connections of their own.
        """
        gap = self._gaps.last()
        vectors = self._encoders.encode_one(image.rgb)
        where = somebodys() if has_nobodys else ANYWHERE
        neighbours = self._index.neighbours(Probe(vectors), limit=voting.NEAREST, where=where)
        # Works by nobody have no vote, and are found as copies all the same.
        finding = self._copies.find(
            image, vectors, None if has_nobodys else neighbours, is_thorough=is_thorough
        )
        heard = {space: neighbours[space] for space in self._collection.row.voting}
        with self._sessions() as session:
            hands = queries.hands_of(session, ids_of(heard))
        panel = self._panel_of(tenants.current())
        opinion = panel.ask(
            *(vectors, known(heard, hands), dict(hands.values())), is_whole=gap is None
        )
        if image.is_plain:  # whatever it is near, no number says anything
            opinion = replace(opinion, odds=None)
        exhibits = choose(self._collection, opinion, limit, vectors)
        return _Seen(finding, opinion, exhibits, gap)

    def _workings(
        self, image: CheckedImage, opinion: Opinion, artists: Mapping[UUID, Artist]
    ) -> bytes | None:
        content, style = self._spaces()
        return workings(
            opinion,
            lanes={"content": content, "style": style},
            artists={row.slug: artist for artist, row in artists.items()},
            known_works=_known_works(opinion, artists),
            is_plain=image.is_plain,
            keeps_vectors=self._collection.settings.subjects != "digest",
        )

    def _probe(self, query: SearchQuery) -> Probe | None:
        """Return the legs of a query; None where a blank picture has left none."""
        text = query.text.strip() if query.text else None
        legs: dict[str, Mapping[str, Vector]] = {}
        if text and SearchBy.SUBJECT in query.by:
            legs["text"] = self._encoders.encode_text(text)
        lanes = self._collection.row.lanes
        spaces = [
            space for by, lane in _LANES.items() if by in query.by for space in of_lane(lanes, lane)
        ]
        if query.image is not None and set(query.by) == {SearchBy.STYLE} and not spaces:
            raise BadInput(
                f"by style: profile {self._profile} has no space of it; search by subject"
            )
        if query.image is not None and spaces:
            legs["image"] = self._encoders.encode_one(query.image.rgb, spaces)
        words = text if SearchBy.WORDS in query.by else None
        if not (legs or words):
            return None
        named = {
            f"{space}_{leg}": (space, vector)
            for leg, vectors in legs.items()
            for space, vector in vectors.items()
        }
        return Probe(
            {name: vector for name, (_, vector) in named.items()},
            text=words,
            using={name: space for name, (space, _) in named.items()},
        )

    def _verdict(
        self,
        image: CheckedImage,
        match: CopyMatch | None,
        opinion: Opinion,
        artists: Mapping[UUID, Artist],
        searched: Searched,
    ) -> tuple[Verdict, tuple[Reason, ...]]:
        """Say what an answer amounts to, and why it is not more."""
        if match:
            is_related = match.kind is CopyKind.NEAR_IDENTICAL
            return Verdict.RELATED if is_related else Verdict.COPY, ()
        if image.is_blank or image.is_plain:
            return Verdict.ABSTAIN, (Reason.LOW_QUALITY,)
        content, style = self._spaces()
        return decide(
            *(opinion.votes, opinion.odds),
            content=content,
            style=style,
            known_works=_known_works(opinion, artists),
            artists=searched.artists,
        )

    def _is_by_subject(self, artist: UUID, votes: Iterable[voting.Vote]) -> bool:
        return voting.is_by_subject(artist, votes, *self._spaces())

    def _spaces(self) -> tuple[list[str], list[str]]:
        """Return the spaces of content, and of style."""
        lanes = self._collection.row.lanes
        return of_lane(lanes, Lane.CONTENT), of_lane(lanes, Lane.STYLE)

    def _searched(self, session: Session, gap: Gap | None = None) -> Searched:
        artists, works = queries.searchable(session)
        searched = Searched(works, artists, self._profile, self._fingerprint)
        return replace(searched, works=gap.works, points=gap.points) if gap else searched


def recalled(session: Session, ids: Sequence[UUID]) -> list[Attribution]:
    """Return earlier answers, with what has become of their declared non-copies since.

    Raises NotFound, RecordAltered.
    """
    return [answer for few in chunks(ids, RECALLED) for answer in _recalled(session, few)]


def _recalled(session: Session, ids: Sequence[UUID]) -> Iterator[Attribution]:
    rows = queries.attributions_by_id(session, ids)
    kept = [whole(session, row) for row in rows]
    for row, said, belief in zip(rows, kept, believe(session, "attribution", rows), strict=True):
        if belief is Belief.ALTERED:
            raise RecordAltered(
                f"attribution {row.id} does not say what was recorded: it was altered in the "
                f"database since; an audit of all records (`lawful audit verify`) shows what else "
                f"was"
            )
        answer = read_answer(said)
        yield replace(answer, declared=of_now(session, answer.declared))


def _pins(session: Session, opinion: Opinion, made_of: bytes | None) -> Pins:
    head, numbers = queries.audit_head(session), opinion.calibration
    return Pins(
        *(PROGRAM, head.sequence, head.digest, opinion.voters),
        calibration=numbers.digest if numbers else None,
        workings=hashlib.sha256(made_of).hexdigest() if made_of else None,
        solved_at=opinion.solved_at,
    )


def _nothing(answer: Attribution) -> str:
    if answer.pins is None or answer.pins.workings is None:
        return (
            "nobody was asked whose it is, or it was given before it was kept what answers are "
            "computed from"
        )
    return (
        "what it was computed from went with the image that was asked about, when its time was "
        "over (LAWFUL_SUBJECT_DAYS), on request, or under a withdrawal"
    )


def _is_incomplete(answer: Attribution) -> bool:
    return Reason.INCOMPLETE_INDEX in answer.reasons


def _known_works(opinion: Opinion, artists: Mapping[UUID, Artist]) -> int:
    """Return how many works of the first artist are registered."""
    first = artists.get(opinion.votes[0].artist_id) if opinion.votes else None
    return first.works if first else 0


def _confidence(opinion: Opinion) -> Confidence | None:
    if opinion.odds is None or opinion.calibrated is None:
        return None
    odds = opinion.odds
    likely = None if odds.likely is None else len(odds.likely)
    return Confidence(odds.nobody, odds.p_nobody, likely, opinion.calibrated, odds.p_familiar)


def _notes(searched: Searched, opinion: Opinion) -> Iterator[str]:
    if not searched.works:
        yield "nothing is registered yet"
    elif searched.artists < voting.FEWEST_ARTISTS:
        yield f"only {searched.artists} artists are registered: nobody can stand out among so few"
    if searched.artists:
        yield from opinion.silent
    if opinion.solved_at:
        yield not_weighed(opinion.solved_at)
    is_whole = searched.points is None
    if searched.artists and opinion.calibrated is None and not opinion.silent and is_whole:
        yield (
            f"not calibrated: probabilities need {FEWEST_WORKS} works by {FEWEST_ARTISTS} "
            f"artists with several pictures each"
        )


def _filter(licences: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the index may hold of works under these licences: identifiers and exact texts."""
    return (*licences, *(found for one in licences if (found := identify(one))))


def _facets(works: Sequence[Artwork]) -> Facets:
    artists = Counter(work.artist.slug for work in works)
    licences = Counter(work.licence_key for work in works if work.licence_key)
    return Facets(
        works=len(works),
        artists=dict(artists.most_common()),
        names={work.artist.slug: work.artist.name for work in works},
        licences=dict(licences.most_common()),
    )


def _found(work: Artwork, hit: Hit) -> FoundWork:
    return FoundWork(
        id=work.id,
        title=work.title,
        slug=work.artist.slug,
        name=work.artist.name,
        licence=work.licence,
        licence_id=work.licence_id,
        year=work.year,
        score=hit.score,
        legs=hit.legs,
    )
