"""Lookups that are asked at once are encoded together, and none suffers from another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from PIL import Image
from sqlalchemy.orm import Session

from attribution.answers import Attribution
from attribution.encoders.batches import SharedBatches
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.stub import StubEncoder
from attribution.errors import BackendUnavailable, BadInput
from attribution.images import read_image
from attribution.services import open_services
from attribution.threads import Threads
from attribution.types import Matrix
from tests.apis import png, settings
from tests.portfolios import wait_until


class Held(StubEncoder):
    """Encodes nothing until it is let go; remembers its batches, refuses images of one width."""

    def __init__(self) -> None:
        self.begun, self.go = Event(), Event()
        self.batches: list[int] = []

    def encode(self, images: Sequence[Image.Image]) -> Mapping[str, Matrix]:
        """Wait, then encode."""
        self.begun.set()
        assert self.go.wait(10)
        self.batches.append(len(images))
        if any(image.width == 13 for image in images):
            raise BadInput("13 pixels")
        return super().encode(images)


def picture(seed: int, width: int = 20) -> Image.Image:
    """Return a picture of its own."""
    pixels = np.random.default_rng(seed).integers(0, 255, (20, width, 3), np.uint8)
    return Image.fromarray(pixels)


def asked_behind_one(
    encoder: Held, pictures: Sequence[Image.Image]
) -> tuple[EncoderSet, list[Future[dict[str, Matrix]]]]:
    """Ask for one picture, and for these while it is encoded; then let all of them be encoded."""
    batches = SharedBatches()
    encoders = EncoderSet([encoder]).sharing(batches)
    with Threads(len(pictures) + 1) as threads:
        futures = [threads.submit(encoders.encode, [picture(0)])]
        assert encoder.begun.wait(10)
        futures += [threads.submit(encoders.encode, [one]) for one in pictures]
        while len(batches._waiting) < len(pictures):
            Event().wait(0.001)
        encoder.go.set()
    return encoders, futures


def test_what_waits_for_a_batch_is_the_next_one() -> None:
    """Everybody gets the vectors of the own picture."""
    encoder, pictures = Held(), [picture(seed) for seed in range(1, 6)]

    _, futures = asked_behind_one(encoder, pictures)

    assert encoder.batches == [1, 5]
    for one, future in zip(pictures, futures[1:], strict=True):
        alone = EncoderSet([StubEncoder()]).encode([one])
        assert all(np.array_equal(rows, alone[name]) for name, rows in future.result().items())


def test_a_batch_has_no_more_images_than_one_of_ingest() -> None:
    """Those behind it make another; the first that waits comes first."""
    encoder = Held()

    asked_behind_one(encoder, [picture(seed) for seed in range(40)])

    assert encoder.batches == [1, 32, 8]


def test_an_error_is_that_of_one_request() -> None:
    """The batch is repeated one by one: the others get their vectors."""
    encoder = Held()

    encoders, (_, first, broken, last) = asked_behind_one(
        encoder, [picture(1), picture(2, width=13), picture(3)]
    )

    with pytest.raises(BadInput, match="13 pixels"):
        broken.result()
    assert first.result().keys() == last.result().keys() == encoder.info.vectors.keys()
    assert encoders.encode([picture(4)])  # and the models are free again


class Other(Held):
    """Another model, with a vector of its own."""

    info = replace(
        StubEncoder.info,
        vectors={f"other_{name}": dim for name, dim in StubEncoder.info.vectors.items()},
    )

    def encode(self, images: Sequence[Image.Image]) -> Mapping[str, Matrix]:
        """Encode under another name."""
        return {f"other_{name}": rows for name, rows in super().encode(images).items()}


def test_models_run_side_by_side() -> None:
    """One that is slow does not keep others waiting."""
    slow, quick = Held(), Other()
    quick.go.set()
    encoders = EncoderSet([slow, quick]).sharing(SharedBatches())
    with Threads(1) as threads:
        future = threads.submit(encoders.encode, [picture(1)])
        assert slow.begun.wait(10)
        wait_until(lambda: quick.batches == [1])
        slow.go.set()

    assert future.result().keys() == {*slow.info.vectors, *quick.info.vectors}


def test_a_lookup_too_many_is_refused_at_once(tmp_path: Path) -> None:
    """With the setting that allows more; there is room again when one is done."""
    image = read_image(png(1))
    refused: list[str] = []

    def meanwhile(_session: Session, _answer: Attribution) -> None:
        for ask in (services.attributor.attribute, services.attributor.member):
            with pytest.raises(BackendUnavailable) as error:
                ask(image)
            refused.append(str(error.value))

    with open_services(settings(tmp_path, most_lookups=1)) as services:
        services.attributor.attribute(image, also=meanwhile)
        assert services.attributor.member(image)

    assert len(refused) == 2
    assert all("1 lookups are in hand" in one and "LAWFUL_MOST_LOOKUPS" in one for one in refused)
