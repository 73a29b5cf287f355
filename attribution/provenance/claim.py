"""What is claimed of a generated image, as a C2PA manifest says it.

The model is an ingredient, and so is a picture that was given, for they went in. The works that an
attribution found are not: they are resembled, and nobody knows whether they went in. They stand in
an assertion of their own, with the numbers that they were found with
(docs/decisions/0011-resemblance-is-not-an-ingredient.md).
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
GIVEN = "given picture"  # how its ingredient is called, and how its action finds it
MINING = ("cawg.data_mining", "cawg.ai_training", "cawg.ai_generative_training")


@dataclass(frozen=True)
class SoftBinding:
    """What finds a manifest again that was cut off its picture."""

    algorithm: str  # of the list that C2PA keeps: "io.iscc.v0", "com.adobe.trustmark.P"
    value: str
    is_embedded: bool = False  # a watermark: the picture was changed to hold it


@dataclass(frozen=True)
class Parent:
    """The picture that an image was made from."""

    sha256: str  # of its file
    media_type: str
    strength: float | None  # how far the model went from it; None: as its authors have set it
    file: bytes | None  # whose manifests are kept; None where it has none. Parsed once already


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
    parent: Parent | None = None

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
                },
                *self._plain_parent(),
            ],
            "assertions": [{"label": label, "data": data} for label, data in self._assertions()],
        }

    @property
    def parent_ingredient(self) -> dict[str, Any]:
        """Return the given picture as an ingredient; its file has the rest."""
        assert self.parent  # noqa: S101  asked for where there is one
        return {
            "title": GIVEN,
            "description": f"SHA-256 {self.parent.sha256}",
            "format": self.parent.media_type,
            "relationship": "parentOf",
            "label": GIVEN,
        }

    def _plain_parent(self) -> Iterator[dict[str, Any]]:
        if self.parent and self.parent.file is None:
            yield self.parent_ingredient

    def _assertions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "c2pa.actions.v2", {"actions": list(self._actions())}
        yield (
            GENERATION,
            {
                "model": self.model,
                "revision": self.revision,
                "seed": self.seed,
                **self._prompt(),
                **self._given(),
            },
        )
        yield "cawg.training-mining", {"entries": {name: {"use": self.training} for name in MINING}}
        for binding in self.bindings:
            block = {"scope": {}, "value": binding.value}  # without a scope: all of it
            yield "c2pa.soft-binding", {"alg": binding.algorithm, "blocks": [block]}
        if self.attribution:
            yield ATTRIBUTION, _resemblance(self.attribution)

    def _actions(self) -> Iterator[dict[str, Any]]:
        """Yield what was done: C2PA begins with one of opened and created, never with both."""
        drawn: dict[str, Any] = {
            "digitalSourceType": SOURCE_TYPE,
            "softwareAgent": {"name": self.model, "version": self.revision},
        }
        if self.parent:
            yield {"action": "c2pa.opened", "parameters": {"ingredientIds": [GIVEN]}}
            yield {"action": "c2pa.edited", **drawn}
        else:
            yield {"action": "c2pa.created", **drawn}
        if any(one.is_embedded for one in self.bindings):
            yield {"action": "c2pa.watermarked.bound"}

    def _given(self) -> dict[str, Any]:
        if self.parent is None:
            return {}
        said = {"sha256": self.parent.sha256, "strength": self.parent.strength}
        return {"given": {name: value for name, value in said.items() if value is not None}}

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
