"""Content Credentials (C2PA) of an image: who signed what about it, and what that forbids.

What a manifest allows grants nothing. What it forbids counts whoever signed it, since nobody gains
by forging a no; and what cannot be believed may have said no before it was changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from attribution.images.manifests import (
    Report,
    active_manifest,
    assertions,
    at,
    listed,
    read_manifests,
)
from attribution.images.rights import tidy

LONGEST = 200  # characters of what a stranger says
TRAINING = ("cawg.training-mining", "c2pa.training-mining")  # the second is the older one
FORBIDDEN = {
    "data_mining": "train",
    "ai_training": "train",
    "ai_generative_training": "train",
    "ai_inference": "generate",
}
MAY_HAVE_SAID_NO = {"train": "its Content Credentials are invalid"}


class State(StrEnum):
    """How far Content Credentials can be believed."""

    VALID = "valid"  # intact, and a trust anchor vouches for who signed
    UNTRUSTED = "untrusted"  # intact, signed by somebody unknown
    INVALID = "invalid"  # they do not belong to these bytes, or cannot be read
    ABSENT = "absent"  # there are none, which says nothing


VOUCHED = "[user_anchors]"  # how c2pa explains that it is a trust anchor who does
STATES = {"Trusted": State.VALID, "Valid": State.UNTRUSTED}  # as c2pa calls them


@dataclass(frozen=True)
class Credentials:
    """What the Content Credentials of an image come to."""

    state: State = State.ABSENT
    reason: str | None = None  # what is wrong with them
    signer: str | None = None
    signed_at: str | None = None  # ISO 8601, by the word of a timestamp authority
    is_time_trusted: bool = False  # a root vouches for that authority
    generator: str | None = None  # the program that made the claim
    source_type: str | None = None  # of IPTC: "trainedAlgorithmicMedia", "digitalCapture"
    forbids: Mapping[str, str] = field(default_factory=dict)  # purpose -> what says so
    is_unread: bool = False  # there are some, and what they say could not be read

    @classmethod
    def of(cls, report: Report) -> Credentials:
        """Sum up what c2pa reports of an image."""
        if "manifests" in report:
            return _summary(report)
        if "error" in report:
            reason = f"cannot be read: {tidy(str(report['error']))[:LONGEST]}"
            return cls(State.INVALID, reason, forbids=MAY_HAVE_SAID_NO, is_unread=True)
        if "remote" in report:
            return cls(reason="kept elsewhere, not fetched", is_unread=True)
        return cls()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, in one sentence; empty where nothing is known."""
        said = (
            (self.reason, "{}"),
            (self.signer, "signed by “{}”"),
            (self._time, "{}"),
            (self.generator, "made with “{}”"),
            (self.source_type, "says {}"),
        )
        parts = [text.format(value) for value, text in said if value]
        if self.state is State.ABSENT and not parts:
            return ()
        return (f"Content Credentials: {', '.join([self.state, *parts])}",)

    @property
    def _time(self) -> str | None:
        """Say when it was signed, and how far that counts."""
        if self.signed_at is None:
            return None
        whose = "a trusted" if self.is_time_trusted else "an unknown"
        return f"at {self.signed_at} by the word of {whose} timestamp authority"

    def as_dict(self) -> dict[str, Any]:
        """Return what is known, as JSON values."""
        return {name: value for name, value in vars(self).items() if value}


def read_credentials(
    data: bytes, trust_anchors: str = "", timestamp_roots: str = ""
) -> Credentials:
    """Read and verify what is embedded in an image, and what its ingredients bring along.

    `trust_anchors` is PEM; without any, an intact signature is `untrusted`. `timestamp_roots`, PEM
    too, vouch for times: with one of them a signature outlives its certificate. Never raises for
    what is in the image.
    """
    return Credentials.of(read_manifests(data, trust_anchors, timestamp_roots))


def _summary(report: Report) -> Credentials:
    active = active_manifest(report)
    confirmed = _confirmed(report)
    state = STATES.get(str(report.get("validation_state")), State.INVALID)
    if state is State.VALID and VOUCHED not in confirmed.get("signingCredential.trusted", ""):
        state = State.UNTRUSTED  # c2pa takes who vouches for times as vouching for signers as well
    is_invalid = state is State.INVALID
    signature = at(active, "signature_info")
    is_stamped = "timeStamp.validated" in confirmed
    generator = at(next(iter(listed(active, "claim_generator_info")), None))
    return Credentials(
        state=state,
        reason=", ".join(_failures(report)) if is_invalid else None,
        signer=words(signature.get("common_name"), signature.get("issuer")),
        signed_at=words(signature.get("time")) if is_stamped else None,
        is_time_trusted="timeStamp.trusted" in confirmed,
        generator=words(generator.get("name"), generator.get("version")),
        source_type=_source_type(active),
        forbids={**(MAY_HAVE_SAID_NO if is_invalid else {}), **dict(_forbidden(report))},
    )


def _confirmed(report: Report) -> Mapping[str, str]:
    """Return the codes of what was found right in the image's own manifest, each explained."""
    found = listed(at(report, "validation_results", "activeManifest"), "success")
    return {str(at(one).get("code")): str(at(one).get("explanation")) for one in found}


def _failures(report: Report) -> list[str]:
    """Return the codes of what failed, at most three, each once."""
    results = at(report, "validation_results")
    found = [at(results, "activeManifest")]
    found += [at(delta, "validationDeltas") for delta in listed(results, "ingredientDeltas")]
    codes = [tidy(str(at(one).get("code"))) for some in found for one in listed(some, "failure")]
    return list(dict.fromkeys(codes))[:3]


def _forbidden(report: Report) -> Iterator[tuple[str, str]]:
    """Yield purposes that any manifest in the image forbids, its ingredients' among them."""
    for manifest in at(report, "manifests").values():
        for label, data in assertions(manifest):
            if label.split("__")[0] not in TRAINING:
                continue
            for name, terms in at(data, "entries").items():
                purpose, use = FORBIDDEN.get(name.partition(".")[2]), at(terms).get("use")
                if purpose and use != "allowed":
                    yield purpose, tidy(f"{name}: {use}")[:LONGEST]


def _source_type(manifest: Mapping[str, Any]) -> str | None:
    for label, data in assertions(manifest):
        for action in listed(data, "actions") if label.startswith("c2pa.actions") else ():
            kind = at(action).get("digitalSourceType")
            if isinstance(kind, str):
                return words(kind.rpartition("/")[2])
    return None


def words(*values: object) -> str | None:
    """Return words of a stranger, on one line and not for ever; None where there are none."""
    return " ".join(tidy(value)[:LONGEST] for value in values if isinstance(value, str)) or None
