"""The arithmetic of an answer, done again from what is kept: no model, no database, no network.

It takes and gives JSON values, so that whoever has them can do it elsewhere. It does not look
again: which works are near is taken from the record, and so are the shares that the classifier
gave, for its sums at that time are not kept. That an image was laid on a work is not computed at
all; it needs both pictures.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isclose
from typing import Any
from uuid import UUID

import numpy as np
import rfc8785

from attribution.answers import Attribution, Reason, Verdict
from attribution.arithmetic import calibration, voting
from attribution.arithmetic.calibration import Ballots, Calibration, Odds
from attribution.arithmetic.deciding import decide
from attribution.errors import BadInput
from attribution.types import Neighbour

VERSION = 1
"""Of the shape of workings that are written; all earlier ones can be read."""

SAME = 1e-9  # figures that differ by less, in parts of them, are one: sums in another order
SAME_COSINE = 1e-5  # likewise, of single-precision vectors
NUMBER = np.dtype("<f4")
MOST_TERMS = 4_000_000  # of the sums: voters, by spaces, by neighbours and shares
MOST_DIMS = 1 << 16

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """Something that an answer states, and what comes out again."""

    name: str
    stated: Any
    found: Any

    @property
    def said(self) -> str:
        """Say how they differ."""
        return f"{self.name}: the answer says {self.stated}, {self.found} comes out"


@dataclass(frozen=True)
class Recomputed:
    """How an answer compares with what it was computed from."""

    compared: int  # figures
    differing: tuple[Figure, ...]
    taken: tuple[str, ...]  # what was taken from the record, and why: sentences

    @property
    def is_right(self) -> bool:
        """Whether everything that could be computed comes out as it was stated."""
        return not self.differing

    @property
    def said(self) -> str:
        """Say it in a sentence."""
        if self.is_right:
            return f"all {self.compared} figures that were computed again come out as stated"
        return f"{len(self.differing)} of {self.compared} figures do not come out as stated"


def _digest_of(workings: Json) -> str:
    """Return the SHA-256 of workings, as RFC 8785 writes them."""
    return hashlib.sha256(rfc8785.dumps(dict(workings))).hexdigest()


def recompute(answer: Attribution, kept: Json) -> Recomputed:
    """Compute an answer again from what `workings.kept` gave of it.

    Figures are equal that differ by no more than SAME, cosines by SAME_COSINE: other processors add
    in another order. Raises BadInput for more than any answer is computed from, and whatever values
    of another shape raise.
    """
    made_of, numbers = kept["workings"], kept["calibration"]
    _check_size(made_of, numbers)
    with np.errstate(all="ignore"):  # absurd numbers come out as others than are stated
        again = _Again.of(made_of, numbers)
        figures = [
            *_digests(answer, made_of, numbers),
            *_confidence(answer, again),
            *_artists(answer, made_of, again),
            *_similarities(answer, made_of, kept["vectors"]),
            *_verdict(answer, made_of, again),
        ]
    differing = tuple(one for one in figures if not _is_same(one))
    return Recomputed(len(figures), differing, tuple(_taken(answer, made_of, kept)))


def _check_size(made_of: Json, numbers: Json | None) -> None:
    """Refuse sums that would take hours, or all memory: workings may be a stranger's."""
    ballots, heard = made_of["ballots"], made_of["neighbours"]
    spaces = len(heard) + (len(numbers["numbers"]["spaces"]) if numbers else 0)
    named = sum(map(len, heard.values())) + sum(len(one["shares"] or ()) for one in ballots)
    if len(ballots) * max(spaces, 1) * named > MOST_TERMS:
        raise BadInput(
            f"{len(ballots)} voters, {spaces} spaces and {named} neighbours and shares are more "
            f"than any answer is computed from"
        )


@dataclass(frozen=True)
class _Again:
    votes: tuple[voting.Vote, ...]
    odds: Odds | None

    @classmethod
    def of(cls, made_of: Json, numbers: Json | None) -> _Again:
        ballots = [_ballot(one, made_of) for one in made_of["ballots"]]
        votes = voting.count(ballots)
        if numbers is None:
            return cls(tuple(votes), None)
        made = Calibration.of_json(numbers["voices"], numbers["numbers"])
        asked = [
            ballot
            for ballot, one in zip(ballots, made_of["ballots"], strict=True)
            if one["is_calibrated"]
        ]
        odds = made.odds(Ballots.of(asked, list(made.spaces)))
        votes.sort(key=lambda vote: (-odds.artists.get(vote.artist_id, 0.0), vote.artist_id))
        return cls(tuple(votes), None if made_of["is_plain"] else odds)


def _ballot(one: Json, made_of: Json) -> voting.Ballot:
    if one["shares"] is not None:
        shares = {UUID(artist): share for artist, share in one["shares"].items()}
        return voting.Ballot(one["voter"], shares)
    neighbours = {
        space: [
            Neighbour(UUID(work), UUID(artist), score, rank)
            for rank, (work, artist, score) in enumerate(hits, start=1)
        ]
        for space, hits in made_of["neighbours"].items()
    }
    sizes = {UUID(artist): works for artist, works in made_of["sizes"].items()}
    return voting.cast(one["voter"], neighbours, sizes, made_of["weights"])


def _digests(answer: Attribution, made_of: Json, numbers: Json | None) -> Iterator[Figure]:
    """Compare what is kept with the digests that the answer carries."""
    pins = answer.pins
    yield Figure("what it was computed from", pins and pins.workings, _digest_of(made_of))
    found = numbers and calibration.digest_of(numbers["voices"], numbers["numbers"])
    yield Figure("the calibration", pins and pins.calibration, found)


def _confidence(answer: Attribution, again: _Again) -> Iterator[Figure]:
    stated, odds = answer.confidence, again.odds
    yield Figure("whether it is calibrated", stated is not None, odds is not None)
    if stated is None or odds is None:
        return
    likely = None if odds.likely is None else len(odds.likely)
    yield Figure("probability of nobody", stated.nobody, odds.nobody)
    yield Figure("p-value of nobody", stated.p_nobody, odds.p_nobody)
    yield Figure("likely artists", stated.likely, likely)
    if stated.p_familiar is not None:
        yield Figure("p-value of familiarity", stated.p_familiar, odds.p_familiar)


def _artists(answer: Attribution, made_of: Json, again: _Again) -> Iterator[Figure]:
    votes, odds = {vote.artist_id: vote for vote in again.votes}, again.odds
    place = {vote.artist_id: number for number, vote in enumerate(again.votes)}
    ids = {slug: UUID(artist) for slug, artist in made_of["artists"].items()}
    ranked = [one.slug for one in answer.artists]
    by_rank = sorted(
        ranked, key=lambda slug: place[ids[slug]] if ids.get(slug) in place else len(place)
    )
    yield Figure("order of the artists", ranked, by_rank)
    for one in answer.artists:
        vote = votes.get(ids[one.slug]) if one.slug in ids else None
        if vote is None:
            yield Figure(f"{one.slug}: vote", one.score, None)
            continue
        yield Figure(f"{one.slug}: vote", one.score, vote.share)
        yield Figure(f"{one.slug}: vote by space", one.spaces, vote.spaces)
        yield Figure(f"{one.slug}: vote by voter", one.voters, vote.voters)
        if odds is None:
            yield Figure(f"{one.slug}: probability", one.probability, None)
            continue
        is_likely = None if odds.likely is None else vote.artist_id in odds.likely
        chance, p_value = odds.artists.get(vote.artist_id), odds.p_values.get(vote.artist_id)
        yield Figure(f"{one.slug}: probability", one.probability, chance)
        yield Figure(f"{one.slug}: p-value", one.p_value, p_value)
        yield Figure(f"{one.slug}: is likely", one.is_likely, is_likely)


def _similarities(answer: Attribution, made_of: Json, vectors: Json) -> Iterator[Figure]:
    """Compute the cosine of the image and each work that is still kept, in each space."""
    if made_of["vectors"] is None:
        return
    image = vectors_of(made_of["vectors"])
    works = {work: vectors_of(texts) for work, texts in vectors.items()}
    for artist in answer.artists:
        for work in artist.works:
            for space, vector in works.get(str(work.id), {}).items():
                if space in work.similarity:
                    found = _Cosine(float(np.dot(image[space], vector)))
                    yield Figure(f"work {work.id}: {space}", work.similarity[space], found)


def _verdict(answer: Attribution, made_of: Json, again: _Again) -> Iterator[Figure]:
    if answer.laid_on is not None:
        found = Verdict.COPY if answer.copy_of else Verdict.RELATED
        yield Figure("verdict", answer.verdict, found)
        return
    verdict, reasons = decide(
        *(again.votes, again.odds),
        content=made_of["lanes"]["content"],
        style=made_of["lanes"]["style"],
        known_works=made_of["known_works"],
        artists=answer.searched.artists,
    )
    if made_of["is_plain"]:
        verdict, reasons = Verdict.ABSTAIN, (Reason.LOW_QUALITY,)
    if answer.searched.points is not None:
        others = (one for one in reasons if one is not Reason.NOT_CALIBRATED)
        reasons = (Reason.INCOMPLETE_INDEX, *others)
    yield Figure("verdict", answer.verdict, verdict)
    yield Figure("reasons", list(answer.reasons), list(reasons))


def _taken(answer: Attribution, made_of: Json, kept: Json) -> Iterator[str]:
    yield "which works are nearest, and how near, is taken from the record: nothing was searched"
    given = [one["voter"] for one in made_of["ballots"] if one["shares"] is not None]
    for voter in given:
        yield (
            f"the shares that the voter {voter} gave are taken from the record: what it was made "
            f"from at that time is not kept"
        )
    if answer.laid_on is not None:
        yield "that the image can be laid on the work is taken from the record: it needs both"
    if made_of["vectors"] is None:
        yield "similarities are taken from the record: nothing that describes the image is kept"
        return
    shown = {str(work.id) for artist in answer.artists for work in artist.works}
    if gone := sorted(shown - kept["vectors"].keys()):
        yield (
            f"similarities of {len(gone)} of {len(shown)} works are taken from the record: these "
            f"were withdrawn since, are described by other encoders now, or may not be shown"
        )


class _Cosine(float):
    """A figure of single precision."""


def vectors_of(texts: Mapping[str, str]) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Read vectors as `lookup.workings.text_of` writes them; raises BadInput for absurd ones."""
    found = {space: np.frombuffer(base64.b64decode(text), NUMBER) for space, text in texts.items()}
    if longest := max((len(one) for one in found.values() if len(one) > MOST_DIMS), default=0):
        raise BadInput(f"a vector of {longest} numbers is longer than any encoder gives")
    return found


def _is_same(one: Figure) -> bool:
    within = SAME_COSINE if isinstance(one.found, _Cosine) else SAME
    return _equal(one.stated, one.found, within)


def _equal(stated: Any, found: Any, within: float) -> bool:
    if isinstance(stated, Mapping) and isinstance(found, Mapping):
        return stated.keys() == found.keys() and all(
            _equal(stated[name], found[name], within) for name in stated
        )
    if isinstance(stated, float) and isinstance(found, float):
        return isclose(stated, found, rel_tol=within, abs_tol=within)
    return bool(stated == found)
