"""The operator's signature under what was generated: Content Credentials for every picture."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from attribution.answers import Attribution
from attribution.config import Settings
from attribution.generation.generator import GeneratorInfo
from attribution.provenance import GenerationClaim, Signer, load_signer, sign
from attribution.provenance.timestamps import TimestampAuthority, load_authority


@dataclass(frozen=True)
class Seal:
    """Whose signature it is, and what it says beside who drew what."""

    signer: Signer
    authority: TimestampAuthority | None  # asked when each picture was signed
    reveal_prompt: bool
    training: Literal["notAllowed", "allowed"]

    def put(
        self,
        png: bytes,
        *,
        info: GeneratorInfo,
        prompt: str,
        seed: int,
        answer: Attribution,
        named: Collection[str],
    ) -> bytes:
        """Return the PNG, signed; of the answer only the artists in `named` (slugs) are said.

        Raises BadInput, BackendUnavailable; see `attribution.provenance.sign`.
        """
        shown = tuple(artist for artist in answer.artists if artist.slug in named)
        claim = GenerationClaim(
            model=f"{info.model} with {info.lora}" if info.lora else info.model,
            revision=info.revision,
            prompt=prompt,
            seed=seed,
            attribution=replace(answer, artists=shown),
            reveal_prompt=self.reveal_prompt,
            training=self.training,
        )
        return sign(png, "image/png", claim, self.signer, self.authority)


def load_seal(settings: Settings) -> Seal | None:
    """Load what signs, None where the settings name no certificate; raises BadInput."""
    signer = load_signer(settings)
    if signer is None:
        return None
    return Seal(signer, load_authority(settings), settings.sign_prompt, settings.sign_training)
