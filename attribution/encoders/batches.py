"""Lookups that are asked at once share the batches of the models.

While a model encodes one batch, what others ask of it waits and makes the next one: so a lone
lookup waits for nobody, and many take the model's time together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Condition

from PIL.Image import Image

from attribution.encoders.encoder import Encoder
from attribution.errors import BackendUnavailable
from attribution.types import Matrix

AT_ONCE = 32  # images of a batch


@dataclass(eq=False)
class _Asked:
    """Images of one caller; in the end their vectors, or what went wrong."""

    encoder: Encoder
    images: Sequence[Image]
    rows: Mapping[str, Matrix] | None = None
    error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return self.rows is not None or self.error is not None


class SharedBatches:
    """Encodes for many threads, one batch a model: whoever finds it free does it for all.

    Before they are rounded (`halves`), vectors of one image differ in their last bits with the
    batch that it is in: by up to 4e-7, as they do with the number of threads.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._waiting: list[_Asked] = []
        self._busy: set[Encoder] = set()

    def encode(self, encoder: Encoder, images: Sequence[Image]) -> Mapping[str, Matrix]:
        """Encode images of one caller, as `Encoder.encode`; raises what that raises for them."""
        asked = _Asked(encoder, images)
        with self._changed:
            self._waiting.append(asked)
        while batch := self._next(asked):
            try:
                _encode(batch)
            finally:
                with self._changed:
                    for one in batch:
                        if not one.is_done:  # the thread is being ended
                            one.error = BackendUnavailable("encoding was interrupted; try again")
                    self._busy.discard(encoder)
                    self._changed.notify_all()
        if asked.error is not None:
            raise asked.error
        return asked.rows or {}

    def _next(self, asked: _Asked) -> list[_Asked]:
        """Wait until another has encoded this, or return a batch to encode, all by the same model.

        The first that waits for it is always part of it, so that everybody's turn comes.
        """
        with self._changed:
            self._changed.wait_for(lambda: asked.is_done or asked.encoder not in self._busy)
            if asked.is_done:
                return []
            first, *others = [one for one in self._waiting if one.encoder is asked.encoder]
            batch, size = [first], len(first.images)
            for one in others:
                if size + len(one.images) <= AT_ONCE:
                    batch.append(one)
                    size += len(one.images)
            self._waiting = [one for one in self._waiting if one not in batch]
            self._busy.add(asked.encoder)
            return batch


def _encode(batch: Sequence[_Asked]) -> None:
    """Encode what several ask for; where that fails, each alone, so that an error is of one."""
    encoder = batch[0].encoder
    images = [image for one in batch for image in one.images]
    try:
        rows = encoder.encode(images)
    except Exception as error:  # noqa: BLE001  whatever it is, it goes to whoever asked
        if len(batch) == 1:
            batch[0].error = error
            return
        for one in batch:
            _encode([one])
        return
    start = 0
    for one in batch:
        end = start + len(one.images)
        one.rows = {name: matrix[start:end] for name, matrix in rows.items()}
        start = end
