"""What is claimed of a generated image, as a C2PA manifest says it.

The model is an ingredient, for it went in. The works that an attribution found are not: they are
resembled, and nobody knows whether they went in. They stand in an assertion of their own, with the
numbers that they were found with (docs/decisions/0011-resemblance-is-not-an-ingredient.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

from attribution.answers import Attribution

GENERATOR = "Lawful Diffusion"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
ATTRIBUTION = "org.lawful-diffusion.attribution"
GENERATION = "org.lawful-diffusion.generation"
MINING = ("cawg.data_mining", "cawg.ai_training", "cawg.ai_generative_training")


@dataclass(frozen=True)
class SoftBinding:
    """What finds a manifest again that was cut off its picture."""

    algorithm: str  # of the list that C2PA keeps: "io.iscc.v0", "com.adobe.trustmark.P"
    value: str
    is_embedded: bool = False  # a watermark: the picture was changed to hold it


@dataclass(frozen=True)
class GenerationClaim:
    """How an image came about, and whom it resembles."""

    model: str  # "stabilityai/sd-turbo", or the name of a folder
    revision: str  # of the model: a commit, or the SHA-256 of its weights
    prompt: str
    seed: int
    attribution: Attribution | None = None  # without the artists who may not be displayed
    reveal_prompt: bool = False  # else its SHA-256, which a guess can confirm
    training: Literal["notAllowed", "allowed"] = "notAllowed"
    bindings: Sequence[SoftBinding] = ()

    def manifest(self) -> dict[str, Any]:
        """Return the definition of the manifest, as c2pa's Builder takes it."""
        return {
            "title": "generated image",
            "claim_generator_info": [
                {"name": GENERATOR, "version": version("lawful-diffusion")},
            ],
            "ingredients": [
                {
                    "title": self.model,
                    "description": f"revision {self.revision}",
                    "relationship": "inputTo",
                    "data_types": [{"type": "c2pa.types.model"}],
                }
            ],
            "assertions": [{"label": label, "data": data} for label, data in self._assertions()],
        }

    def _assertions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        agent = {"name": self.model, "version": self.revision}
        created = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE}
        actions = [created | {"softwareAgent": agent}]
        if any(one.is_embedded for one in self.bindings):
            actions.append({"action": "c2pa.watermarked.bound"})
        yield "c2pa.actions.v2", {"actions": actions}
        yield (
            GENERATION,
            {
                "model": self.model,
                "revision": self.revision,
                "seed": self.seed,
                **self._prompt(),
            },
        )
        yield "cawg.training-mining", {"entries": {name: {"use": self.training} for name in MINING}}
        for binding in self.bindings:
            block = {"scope": {}, "value": binding.value}  # without a scope: all of it
            yield "c2pa.soft-binding", {"alg": binding.algorithm, "blocks": [block]}
        if self.attribution:
            yield ATTRIBUTION, _resemblance(self.attribution)

    def _prompt(self) -> dict[str, str]:
        prompt = self.prompt.encode("utf-8", "replace")  # a shell may pass bytes that are no text
        if self.reveal_prompt:
            return {"prompt": prompt.decode()}
        return {"prompt_sha256": hashlib.sha256(prompt).hexdigest()}


def _resemblance(answer: Attribution) -> dict[str, Any]:
    return {
        "meaning": "whom the image resembles; neither their consent nor their endorsement",
        "attribution": str(answer.id),
        "verdict": str(answer.verdict),
        "searched": {
            "works": answer.searched.works,
            "artists": answer.searched.artists,
            "profile": answer.searched.profile,
            "fingerprint": answer.searched.fingerprint,
            "points": answer.searched.points,
        },
        "artists": [
            {
                "name": artist.name,
                "slug": artist.slug,
                "share": artist.score,
                "probability": artist.probability,
                "works": [
                    {
                        "id": str(work.id),
                        "title": work.title,
                        "similarity": dict(work.similarity),
                    }
                    for work in artist.works
                ],
            }
            for artist in answer.artists
        ],
    }
