"""What verdicts and their reasons are called, wherever a person reads them."""

from __future__ import annotations

from collections.abc import Mapping

from attribution.types import Reason, Verdict

VERDICTS: Mapping[Verdict, str] = {
    Verdict.COPY: "copy",
    Verdict.ATTRIBUTED: "attributed",
    Verdict.CANDIDATES: "candidates",
    Verdict.ABSTAIN: "nothing stands out",
}
REASONS: Mapping[Reason, str] = {
    Reason.UNKNOWN_ARTIST: "a stranger's work may well look like this",
    Reason.SEVERAL_ARTISTS: "more than one artist is likely",
    Reason.SPACES_DISAGREE: "the voters name different artists, none is likely",
    Reason.TOO_FEW_WORKS: "few works by the first artist are registered",
    Reason.TOO_FEW_ARTISTS: "too few artists are registered",
    Reason.LOW_QUALITY: "the image is blank or tiny",
    Reason.NOT_CALIBRATED: "not calibrated: shares of the vote, no probabilities",
}
