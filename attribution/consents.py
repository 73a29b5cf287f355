"""What may be done with a work: the words of consent, and which of many statements stands.

Pure: rows are in `attribution.catalogue.models.consents`, what they mean for a work is written by
`attribution.catalogue.queries.consents`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

LONGEST_DOCUMENT = 2_000  # characters


class ConsentPurpose(StrEnum):
    """What a work may be used for."""

    INDEX = "index"  # be found
    DISPLAY = "display"  # be shown to everybody
    EVIDENCE = "evidence"  # be shown to reviewers and parties; every sight is in the audit
    TRAIN = "train"  # train models
    GENERATE = "generate"  # steer generation


class Answer(StrEnum):
    """What was said of a purpose."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"  # ask first: no for a machine


class ConsentSource(StrEnum):
    """Where a statement stood."""

    TABLE = "table"
    SIDECAR = "sidecar"
    FOLDER = "folder"  # its name
    METADATA = "metadata"  # of the file itself
    UPLOAD = "upload"  # fields that came with the file
    PERSON = "person"  # said here, through the API or a command; `by` says who
    EARLIER = "earlier"  # it stood when statements began to be kept; nobody knows who said it


GRANTED_BY_DEFAULT = (
    ConsentPurpose.INDEX.value,
    ConsentPurpose.DISPLAY.value,
    ConsentPurpose.EVIDENCE.value,
)
"""Who brings a work to be found wants it found."""


class Said(Protocol):
    """A statement about one purpose of a work, or of an artist's whole portfolio."""

    @property
    def id(self) -> UUID:
        """What it is known by."""

    @property
    def artwork_id(self) -> UUID | None:
        """The work; None: the portfolio."""

    @property
    def answer(self) -> str:
        """An `Answer`."""

    @property
    def source(self) -> str:
        """A `ConsentSource`."""

    @property
    def said_at(self) -> datetime:
        """When it was said."""

    @property
    def valid_from(self) -> datetime | None:
        """From when it counts; None: always."""

    @property
    def valid_until(self) -> datetime | None:
        """From when it counts no more; None: never."""


S = TypeVar("S", bound=Said)


def standing(said: Iterable[S], at: datetime) -> S | None:
    """Return which statement about one purpose counts at a moment; None: nothing was said.

    The last one about the work, else the last one about its artist. A no in the file itself stands
    until a person says yes to that very work, and again when a person takes that back. Of two at
    once the stricter counts.
    """
    in_force = sorted((one for one in said if is_in_force(one, at)), key=_turn)
    own = [one for one in in_force if one.artwork_id is not None]
    of_file = [one for one in own if _is_no_of_file(one)]
    if of_file:
        later = own[own.index(of_file[-1]) :]
        by_people = [one for one in later if one.source == ConsentSource.PERSON]
        if not any(one.answer == Answer.ALLOW for one in by_people):
            return later[0]
        return later[-1] if by_people[-1].answer == Answer.ALLOW else by_people[-1]
    said_last = own or in_force
    return said_last[-1] if said_last else None


def is_in_force(one: Said, at: datetime) -> bool:
    """Tell whether a statement says anything at a moment."""
    has_begun = one.valid_from is None or one.valid_from <= at
    return has_begun and (one.valid_until is None or at < one.valid_until)


def next_turn(one: Said, after: datetime) -> datetime | None:
    """Return when a statement begins or ends next; None where it does neither any more."""
    turns = (one.valid_from, one.valid_until)
    return min((turn for turn in turns if turn is not None and turn > after), default=None)


def is_allowed(purpose: str, stands: Said | None) -> bool:
    """Tell whether a machine may do it now. What is not a plain yes is a no."""
    if stands is None:
        return purpose in GRANTED_BY_DEFAULT
    return stands.answer == Answer.ALLOW


def _is_no_of_file(one: Said) -> bool:
    return one.source == ConsentSource.METADATA and one.answer != Answer.ALLOW


def _turn(one: Said) -> tuple[datetime, bool, UUID]:
    return one.said_at, one.answer != Answer.ALLOW, one.id
