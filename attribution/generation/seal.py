"""The operator's signature under what was generated: Content Credentials for every picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from attribution.answers import Attribution
from attribution.config import Settings
from attribution.generation.generator import GeneratorInfo
from attribution.provenance import GenerationClaim, Signer, load_signer, sign
from attribution.provenance.claim import Parent, SoftBinding
from attribution.provenance.keys import load_trust_anchors
from attribution.provenance.timestamps import TimestampAuthority, load_authority


@dataclass(frozen=True)
class Seal:
    """Whose signature it is, and what it says beside who drew what."""

    signer: Signer
    authority: TimestampAuthority | None  # asked when each picture was signed
    reveal_prompt: bool
    training: Literal["notAllowed", "allowed"]
    trust_anchors: str = ""  # PEM: who vouches for the signer of a given picture
    parent: Parent | None = None  # the given picture

    def put(
        self,
        png: bytes,
        *,
        info: GeneratorInfo,
        prompt: str,
        seed: int,
        answer: Attribution,
        bindings: Sequence[SoftBinding],
    ) -> bytes:
        """Return the PNG, signed; every artist that the answer names is said.

        Raises BadInput, BackendUnavailable; see `attribution.provenance.sign`.
        """
        claim = GenerationClaim(
            model=f"{info.model} with {info.lora}" if info.lora else info.model,
            revision=info.revision,
            prompt=prompt,
            seed=seed,
            attribution=answer,
            reveal_prompt=self.reveal_prompt,
            training=self.training,
            bindings=bindings,
            parent=self.parent,
        )
        anchors = self.trust_anchors
        return sign(png, "image/png", claim, self.signer, self.authority, trust_anchors=anchors)


def load_seal(settings: Settings) -> Seal | None:
    """Load what signs, None where the settings name no certificate; raises BadInput."""
    signer = load_signer(settings)
    if signer is None:
        return None
    return Seal(
        signer,
        load_authority(settings),
        settings.sign_prompt,
        settings.sign_training,
        load_trust_anchors(settings.trust_anchors, "LAWFUL_TRUST_ANCHORS"),
    )
