"""The answer for one image, and how it is recorded and read again.

The values change as the program does. What is recorded has a version, and every version that there
was can be read: `write_answer`, `read_answer`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from attribution.errors import SchemaMismatch

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class Verdict(StrEnum):
    """What an attribution amounts to."""

    COPY = "copy"  # the image is an indexed work, or an altered copy of one
    RELATED = "related"  # it shares much with a work, or with another of its series
    ATTRIBUTED = "attributed"  # one artist alone is likely, and "nobody" is refused
    CANDIDATES = "candidates"  # some artists stand out
    ABSTAIN = "abstain"  # nothing stands out


class Reason(StrEnum):
    """Why a verdict is not a stronger one."""

    UNKNOWN_ARTIST = "unknown_artist"  # a stranger's work may well look like this
    SEVERAL_ARTISTS = "several_artists"  # more than one artist is likely
    SPACES_DISAGREE = "spaces_disagree"  # the voters name different artists, none is likely
    TOO_FEW_WORKS = "too_few_works"  # by the first artist
    INCOMPLETE_INDEX = "incomplete_index"  # works are registered that the index does not have
    TOO_FEW_ARTISTS = "too_few_artists"  # are registered: nobody can stand out
    SAME_SUBJECT = "same_subject"  # what is shown speaks for the first artist, not how it is drawn
    UNLIKE_ANYTHING = "unlike_anything_registered"  # whoever is nearest is not near
    UNUSUAL = "unusual"  # among what is registered, if not unlike it
    LOW_QUALITY = "low_quality"  # the image is blank, of nearly one colour, or tiny
    NOT_CALIBRATED = "not_calibrated"  # too few works are registered to know what a share means
    WITHDRAWN = "withdrawn"  # the image's bytes were registered once: nobody is named for them


@dataclass(frozen=True)
class Evidence:
    """One work that speaks for an artist, with its exact cosine in every space."""

    id: UUID
    title: str | None
    similarity: Mapping[str, float]
    sha256: str | None = None  # of its file; None in answers that were given before this was kept


@dataclass(frozen=True)
class Candidate:
    """One artist of an answer."""

    slug: str
    name: str
    score: float  # share of the vote, not a probability
    spaces: Mapping[str, float]  # the neighbours' part of it, by space
    works: tuple[Evidence, ...]
    voters: Mapping[str, float] = field(default_factory=dict)  # the part that each voter gave
    probability: float | None = None  # None: not calibrated
    p_value: float | None = None  # of "by this artist"; small: it does not fit this hand
    is_likely: bool | None = None  # in the set of likely artists; None: there is no useful one


@dataclass(frozen=True)
class CalibrationState:
    """When the votes were last held against known works, and how much was registered then."""

    made_at: datetime
    works: int
    artists: int
    asked: int  # works asked for as if they, and as if their artists, were not there


@dataclass(frozen=True)
class Confidence:
    """How sure an answer is. Half of the images asked about are taken to be by strangers."""

    nobody: float  # probability that none of the registered artists made the image
    p_nobody: float  # p-value of that: how often a stranger's work looks as much like ours
    # artists in the set that holds the right one for 90 % of our artists' works; None: too many
    likely: int | None
    calibrated: CalibrationState
    # chance that a registered artist's work is no nearer to what is registered; None in answers of
    # before this was asked:
    p_familiar: float | None = None


Corner = tuple[float, float]
"""A point of a picture: parts of its width and height from the upper left, 0 to 1."""


@dataclass(frozen=True)
class Overlap:
    """What an image and a work both show, and how the work was changed to become the image."""

    image: tuple[Corner, ...]  # the outline of what both show, on the image
    work: tuple[Corner, ...]  # the same outline on the work, corner by corner
    is_mirrored: bool
    turned_degrees: float  # counter-clockwise, after mirroring; -180 to 180


class CopyKind(StrEnum):
    """What is claimed of an image and a work, the surest first."""

    SAME_IMAGE = "same_image"  # the same bytes or pixels
    ALTERED_COPY = "altered_copy"  # its strokes and colours are the work's, or a part of them
    NEAR_IDENTICAL = "near_identical"  # the work changed or written over, or another of its series


@dataclass(frozen=True)
class CopyMatch:
    """The indexed work that an image can be laid on, how that was found, and who claims it."""

    id: UUID
    title: str | None
    slug: str
    name: str
    match: str  # how it was found: "bytes", "pixels", "perceptual" or "geometric"
    distance: int  # bits of 64 in which the perceptual hashes differ, in the nearest position
    also_claimed_by: tuple[str, ...]  # slugs of other artists who brought the same bytes
    kind: CopyKind
    # None in answers that were given before these existed:
    overlap: Overlap | None = None
    agreement: float | None = None  # part of the strokes of what both show that is the same
    content: float | None = None  # part of all of the work's strokes; None where not measured
    sha256: str | None = None  # of the work's file


@dataclass(frozen=True)
class DeclaredNonCopy:
    """A finding that a person has declared to be none: it is not said, but that it is not is."""

    id: UUID  # of the declaration
    declared_at: datetime
    by: str
    reason: str | None  # None: it went with a work that was withdrawn
    until: datetime | None  # None: without an end
    image_sha256: str  # of the image that was looked at
    is_this_image: bool  # False: one that is nearly the same
    would_be: CopyMatch  # what the answer says without the declaration
    # Of now, where an earlier answer is read: then its finding is silenced no longer.
    revoked_at: datetime | None = None
    revoked_by: str | None = None


@dataclass(frozen=True)
class Searched:
    """What an answer rests on."""

    works: int
    artists: int
    profile: str
    fingerprint: str
    points: int | None = None  # of these works that the index had, where it did not have all


@dataclass(frozen=True)
class Pins:
    """What an answer was computed with, so that it can be said later what has become different.

    What was registered is that of an entry of the audit: all that came before it was there.
    """

    program: str  # version
    entry: int  # the last one of the audit before the answer, 0 before the first,
    chain: str  # and the digest of the chain there
    voters: Mapping[str, str | None]  # who voted; SHA-256 of what each was made from, or none
    calibration: str | None  # SHA-256 of the numbers that made votes probabilities
    # SHA-256 of what the arithmetic was done with (`lookup.workings`), as RFC 8785 writes it; None
    # where there was none, and in answers that were given before it was kept.
    workings: str | None = None
    # Up to when the classifier had weighed works, where some came or went since; None: all of them.
    solved_at: datetime | None = None


@dataclass(frozen=True)
class Removal:
    """Something of a recorded answer that a withdrawal has removed."""

    at: datetime
    receipt: UUID  # of the withdrawal


@dataclass(frozen=True)
class Attribution:
    """The answer for one image."""

    id: UUID
    created_at: datetime
    image_sha256: str
    verdict: Verdict
    copy_of: CopyMatch | None  # the same image or an altered copy: verdict `copy`
    artists: tuple[Candidate, ...]  # best first
    searched: Searched
    notes: tuple[str, ...]  # what was done to the image, and why the answer may be weak
    reasons: tuple[Reason, ...] = ()  # why the verdict is no stronger
    confidence: Confidence | None = None  # None: not calibrated
    credentials: str = "absent"  # C2PA of the image: "valid", "untrusted", "invalid", "absent"
    related_to: CopyMatch | None = None  # near-identical: verdict `related`
    withdrawn_at: datetime | None = None  # the image's bytes were registered until then
    removed: tuple[Removal, ...] = ()  # since the answer was given
    declared: tuple[DeclaredNonCopy, ...] = ()  # what is not said of it
    pins: Pins | None = None  # None in answers that were given before there were any
    # Whether its parts were looked up, and everything near compared, to find what it copies.
    is_thorough: bool = True

    @property
    def laid_on(self) -> CopyMatch | None:
        """The work that the image can be laid on, whatever that amounts to."""
        return self.copy_of or self.related_to


VERSION = 7
"""Of the recorded shape. A change that `read_answer` has to know of takes the next number."""

EXACT = ("bytes", "pixels")


@cache
def _adapter() -> TypeAdapter[Attribution]:
    """Return what reads and writes answers; made late, as commands only name verdicts."""
    from pydantic import TypeAdapter

    return TypeAdapter(Attribution)


def write_answer(answer: Attribution) -> dict[str, Any]:
    """Return an answer as it is recorded: JSON values, with the version of their shape."""
    values: dict[str, Any] = _adapter().dump_python(answer, mode="json")
    return {"version": VERSION, **values}


def read_answer(recorded: Mapping[str, Any]) -> Attribution:
    """Return an answer recorded in any version, with its claims in the words of this one.

    Raises SchemaMismatch for an answer that a newer program recorded.
    """
    version = recorded.get("version", 1)  # the first had no number
    if version > VERSION:
        raise SchemaMismatch(
            f"answer {recorded['id']} was recorded in version {version}, this program reads up to "
            f"{VERSION}; run the newer program"
        )
    for earlier in range(version, VERSION):
        recorded = _NEXT[earlier](recorded)
    return _adapter().validate_python(recorded)


def shortened(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recorded answer, of any version, without what speaks for its artists, and its pins.

    It is read like a whole one, and says enough for a list.
    """
    left_out: dict[str, Any] = {"works": [], "spaces": {}, "voters": {}}
    artists = [{**one, **left_out} for one in answer["artists"]]
    return {**answer, "artists": artists, "pins": None}


def without_works(
    answer: Mapping[str, Any], ids: Collection[UUID], removal: Removal
) -> dict[str, Any]:
    """Return an answer without what it says of these works, and with a mark that says so."""
    wiped, names = deepcopy(dict(answer)), {str(one) for one in ids}
    for work in works_named(wiped):
        if work["id"] in names:
            work["title"] = None
    for one in wiped.get("declared", []):
        if one["would_be"]["id"] in names:
            one["reason"] = None
    mark = {"at": removal.at.isoformat(), "receipt": str(removal.receipt)}
    earlier = [one for one in wiped.get("removed", []) if one["receipt"] != mark["receipt"]]
    return wiped | {"removed": [*earlier, mark]}


def works_named(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every place of an answer, of any version, that names a work."""
    evidence = [work for artist in answer["artists"] for work in artist["works"]]
    laid_on = (answer.get(name) for name in ("copy_of", "related_to"))
    silenced = [one["would_be"] for one in answer.get("declared", [])]
    return evidence + [one for one in laid_on if one] + silenced


def parted(answer: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[str | None]]]:
    """Return a recorded answer without what it says of works, and that by the id of the work.

    What a withdrawal takes away is there: titles, and reasons of declarations. Marks of removals,
    which come later, are left out.
    """
    rest, said = deepcopy(dict(answer)), defaultdict[str, list[str | None]](list)
    rest.pop("removed", None)
    for work in works_named(rest):
        said[work["id"]].append(work.pop("title", None))
    for one in rest.get("declared", []):
        said[one["would_be"]["id"]].append(one.pop("reason", None))
    return rest, dict(said)


def _from_1(recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    """Claim of a work what version 2 does.

    Near-identical was called a copy, and the oldest answers did not say what kind they had found.
    """
    copy = recorded["copy_of"]
    if copy is None:
        return recorded
    guessed = CopyKind.SAME_IMAGE if copy["match"] in EXACT else CopyKind.NEAR_IDENTICAL
    copy = {**copy, "kind": copy.get("kind") or guessed}
    if copy["kind"] != CopyKind.NEAR_IDENTICAL:
        return {**recorded, "copy_of": copy}
    return {**recorded, "verdict": Verdict.RELATED, "copy_of": None, "related_to": copy}


def _from_2(recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave open how familiar the image was: it was not asked; every set was taken for useful."""
    return recorded


def _from_3(recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave open what the answer was computed with, and its works' files: neither was kept."""
    return recorded


def _from_4(recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave open what the arithmetic was done with: it was not kept."""
    return recorded


def _from_5(recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take it that all works were weighed: no answer waited for less."""
    return recorded


def _from_6(recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take it that it was thorough: every lookup was."""
    return recorded


_NEXT: Mapping[int, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    1: _from_1,
    2: _from_2,
    3: _from_3,
    4: _from_4,
    5: _from_5,
    6: _from_6,
}
"""What turns an answer of a version into one of the next."""
