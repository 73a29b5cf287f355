"""The words of the desk: what a case is about, which act takes it where, what a decision may say.

The tables are in `attribution.catalogue.models.desk`, the use cases in `attribution.desk`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from attribution.errors import Conflict


class CaseKind(StrEnum):
    """What a case is about."""

    MATCH = "match"  # an image that shows or resembles registered works
    CLAIM = "claim"  # several artists claim one work
    WITHDRAWAL = "withdrawal"  # somebody asks that works are withdrawn
    GENERATED = "generated"  # a picture that was drawn here
    APPEAL = "appeal"  # against a decision


class CaseStatus(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    SECOND = "second"  # decided by one person, waiting for another one
    DECIDED = "decided"
    CLOSED = "closed"


class Act(StrEnum):
    """What people do with a case."""

    ADD = "add to"
    DROP = "remove a party of"
    ASSESS = "assess findings of"
    TAKE = "take"
    PLAN = "plan"
    DECIDE = "decide"
    SIGN = "second"
    REOPEN = "reopen"
    CLOSE = "close"
    APPEAL = "appeal against"
    HOLD = "put something on hold for"
    FILE = "add a document to"


STATES: Mapping[Act, Mapping[CaseStatus, CaseStatus]] = {
    Act.ADD: {CaseStatus.OPEN: CaseStatus.OPEN},
    Act.DROP: {CaseStatus.OPEN: CaseStatus.OPEN},
    Act.ASSESS: {CaseStatus.OPEN: CaseStatus.OPEN},
    Act.TAKE: {CaseStatus.OPEN: CaseStatus.OPEN, CaseStatus.SECOND: CaseStatus.SECOND},
    Act.PLAN: {CaseStatus.OPEN: CaseStatus.OPEN, CaseStatus.SECOND: CaseStatus.SECOND},
    Act.DECIDE: {CaseStatus.OPEN: CaseStatus.DECIDED},  # or SECOND, for a grave outcome
    Act.SIGN: {CaseStatus.SECOND: CaseStatus.DECIDED},
    Act.REOPEN: {CaseStatus.SECOND: CaseStatus.OPEN, CaseStatus.DECIDED: CaseStatus.OPEN},
    Act.CLOSE: {CaseStatus.DECIDED: CaseStatus.CLOSED},
    Act.APPEAL: {
        CaseStatus.DECIDED: CaseStatus.DECIDED,
        CaseStatus.CLOSED: CaseStatus.CLOSED,
    },
    Act.HOLD: {one: one for one in CaseStatus if one is not CaseStatus.CLOSED},
    Act.FILE: {one: one for one in CaseStatus if one is not CaseStatus.CLOSED},
}
"""Which act takes a case from which status to which. PLAN needs the scope `operate`, all others
`review`."""


def after(act: Act, status: CaseStatus, number: int) -> CaseStatus:
    """Return the status of case `number` after an act; raises Conflict where there is none."""
    if status not in STATES[act]:
        allowed = " or ".join(f"“{one.value}”" for one in STATES[act])
        raise Conflict(
            f"case {number} has the status “{status.value}”: to {act.value} a case it must have "
            f"the status {allowed}"
        )
    return STATES[act][status]


class Lane(StrEnum):
    """What a finding is about."""

    COPY = "copy"
    STYLE = "style"
    PROVENANCE = "provenance"
    RIGHTS = "rights"


class Assessed(StrEnum):
    """What a person says of a finding."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNCLEAR = "unclear"


class CaseOutcome(StrEnum):
    """What a decision amounts to."""

    MATCH_CONFIRMED = "match_confirmed"
    MATCH_LICENSED = "match_licensed"
    MATCH_REJECTED = "match_rejected"
    STYLE_NOTED = "style_noted"
    CLAIM_UPHELD = "claim_upheld"
    CLAIM_REJECTED = "claim_rejected"
    WITHDRAWAL_DUE = "withdrawal_due"
    NO_FINDING = "no_finding"
    APPEAL_GRANTED = "appeal_granted"
    APPEAL_DENIED = "appeal_denied"


@dataclass(frozen=True)
class Ruling:
    """What an outcome rests on, and whether one person is enough for it."""

    lane: Lane | None  # whose findings have to be assessed before; None: of all lanes
    is_grave: bool = False  # needs a second person
    rests_on_finding: bool = False  # one of the lane has to be confirmed
    in_appeal: bool = False


RULINGS: Mapping[CaseOutcome, Ruling] = {
    CaseOutcome.MATCH_CONFIRMED: Ruling(Lane.COPY, is_grave=True, rests_on_finding=True),
    CaseOutcome.MATCH_LICENSED: Ruling(Lane.COPY, rests_on_finding=True),
    CaseOutcome.MATCH_REJECTED: Ruling(Lane.COPY),
    CaseOutcome.STYLE_NOTED: Ruling(Lane.STYLE, rests_on_finding=True),
    CaseOutcome.CLAIM_UPHELD: Ruling(Lane.RIGHTS, is_grave=True, rests_on_finding=True),
    CaseOutcome.CLAIM_REJECTED: Ruling(Lane.RIGHTS),
    CaseOutcome.WITHDRAWAL_DUE: Ruling(Lane.RIGHTS, is_grave=True),
    CaseOutcome.NO_FINDING: Ruling(None),
    CaseOutcome.APPEAL_GRANTED: Ruling(None, is_grave=True, in_appeal=True),
    CaseOutcome.APPEAL_DENIED: Ruling(None, in_appeal=True),
}


class Ground(StrEnum):
    """The reason code of a decision."""

    SAME_PICTURE = "same_picture"
    ALTERED_PICTURE = "altered_picture"
    OTHER_PICTURE = "other_picture"
    SAME_SUBJECT = "same_subject"
    LICENSED = "licensed"
    PRIOR_CLAIM = "prior_claim"
    ON_REQUEST = "on_request"
    NO_EVIDENCE = "no_evidence"
    OTHER = "other"


class PartyRole(StrEnum):
    """What somebody has to do with a case."""

    ARTIST = "artist"
    RESPONDENT = "respondent"
    COUNSEL = "counsel"
    OTHER = "other"


class NoteKind(StrEnum):
    """Why somebody wrote something into a case."""

    COMMENT = "comment"
    SKIP = "skip"
    MOVE = "move"
    REOPEN = "reopen"
    APPEAL = "appeal"
