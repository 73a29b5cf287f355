"""From votes to a verdict, for an image that is no copy: what an answer and its check share."""

from __future__ import annotations

from collections.abc import Sequence

from attribution.answers import Reason, Verdict
from attribution.arithmetic import voting
from attribution.arithmetic.calibration import Odds, Signs, judge


def decide(
    votes: Sequence[voting.Vote],
    odds: Odds | None,
    *,
    content: Sequence[str],
    style: Sequence[str],
    known_works: int,
    artists: int,
) -> tuple[Verdict, tuple[Reason, ...]]:
    """Return what votes amount to, best first, and why it is not more.

    `content` and `style` are the spaces of each kind; `known_works` of the first artist and
    `artists` in all are registered. Without odds nobody knows what a share means.
    """
    if odds is None or not votes:
        return _uncalibrated(votes, artists)
    is_by_subject = voting.is_by_subject(votes[0].artist_id, votes, content, style)
    return judge(Signs.of(odds, is_by_subject=is_by_subject), known_works=known_works)


def _uncalibrated(votes: Sequence[voting.Vote], artists: int) -> tuple[Verdict, tuple[Reason, ...]]:
    """Go by the share of the vote where nobody knows yet what it means."""
    if artists < voting.FEWEST_ARTISTS:
        return Verdict.ABSTAIN, (Reason.TOO_FEW_ARTISTS, Reason.NOT_CALIBRATED)
    stands_out = bool(votes) and votes[0].share >= voting.stands_out(artists)
    return Verdict.CANDIDATES if stands_out else Verdict.ABSTAIN, (Reason.NOT_CALIBRATED,)
