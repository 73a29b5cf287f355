"""The encoders of a profile, asked as one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

from PIL.Image import Image

from attribution.arithmetic.halves import rounded
from attribution.encoders.batches import SharedBatches
from attribution.encoders.encoder import Encoder, Lane, ModelInfo, PatchEncoder, TextEncoder
from attribution.errors import BadInput
from attribution.stages import stage
from attribution.threads import Threads
from attribution.tracing import span
from attribution.types import Matrix, Patches, Vector

Key = TypeVar("Key", bound=Hashable)


class EncoderSet:
    """Several encoders, no two of which give a vector of the same name."""

    def __init__(
        self, encoders: Sequence[Encoder], *, batches: SharedBatches | None = None
    ) -> None:
        self._encoders = tuple(encoders)
        self._run = batches.encode if batches else _alone

    def sharing(self, batches: SharedBatches) -> EncoderSet:
        """Return the same encoders, asked together with whoever else asks these batches."""
        return EncoderSet(self._encoders, batches=batches)

    def __iter__(self) -> Iterator[Encoder]:
        return iter(self._encoders)

    @cached_property
    def infos(self) -> tuple[ModelInfo, ...]:
        """What the models are; loads them."""
        return tuple(encoder.info for encoder in self._encoders)

    @cached_property
    def dims(self) -> dict[str, int]:
        """The width of every named vector."""
        return {name: width for info in self.infos for name, width in info.vectors.items()}

    @cached_property
    def lanes(self) -> dict[str, Lane]:
        """What every named vector is for."""
        return {name: lane for info in self.infos for name, lane in info.lanes.items()}

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of everything that changes a vector, and of what each is for.

        Names, licences and paths are left out: the same weights from elsewhere are the same model.
        """
        facts = [
            [info.vectors, info.lanes, info.revision, info.preprocessing] for info in self.infos
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def encode(
        self, images: Sequence[Image], spaces: Collection[str] | None = None
    ) -> dict[str, Matrix]:
        """Encode RGB images of any size in these spaces, in all by default; a row for each.

        The vectors are rounded to half precision, see `halves`.
        """
        wanted = self.dims.keys() if spaces is None else spaces
        asked = [one for one in self._encoders if not one.info.vectors.keys().isdisjoint(wanted)]

        def run(encoder: Encoder) -> Mapping[str, Matrix]:
            with stage(f"encode {encoder.info.model}"):
                return self._run(encoder, images)

        # Side by side: two threads in two models do more than two that wait for each other in one.
        with span("encode"), Threads(max(1, len(asked))) as threads:
            return {
                name: rounded(rows)
                for encoded in threads.map(run, asked)
                for name, rows in encoded.items()
                if name in wanted
            }

    def encode_one(self, image: Image, spaces: Collection[str] | None = None) -> dict[str, Vector]:
        """Encode one RGB image."""
        return {space: rows[0] for space, rows in self.encode([image], spaces).items()}

    def encode_each(self, images: Mapping[Key, Image]) -> dict[Key, dict[str, Vector]]:
        """Encode RGB images, each under its key."""
        if not images:
            return {}
        rows = self.encode(list(images.values()))
        return {
            key: {space: matrix[number] for space, matrix in rows.items()}
            for number, key in enumerate(images)
        }

    @property
    def text_spaces(self) -> tuple[str, ...]:
        """The spaces in which texts can be compared with images."""
        return tuple(one.text_vector for one in self._encoders if isinstance(one, TextEncoder))

    def encode_text(self, text: str) -> dict[str, Vector]:
        """Encode a text in all of `text_spaces`."""
        return {
            encoder.text_vector: encoder.encode_text([text])[0]
            for encoder in self._encoders
            if isinstance(encoder, TextEncoder)
        }

    def encode_patches(self, images: Sequence[Image]) -> Patches:
        """Describe the places of square images; see `encoder.PatchEncoder`."""
        for encoder in self._encoders:
            if isinstance(encoder, PatchEncoder):
                return encoder.encode_patches(images)
        raise BadInput("regions need an encoder that keeps a map of places; this profile has none")


def _alone(encoder: Encoder, images: Sequence[Image]) -> Mapping[str, Matrix]:
    return encoder.encode(images)
