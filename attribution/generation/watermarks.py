"""Watermarks: a number hidden in a generated picture, which survives where metadata do not.

It is drawn for one picture, recorded with it, and says nothing by itself. Whoever has the program
that embeds it can put the same number into another picture: it is a trace, never a proof.
"""

from __future__ import annotations

import secrets
from typing import Protocol

from PIL import Image

from attribution.config import Settings
from attribution.generation.trustmark import TrustMark


class Watermarker(Protocol):
    """Hides bits in pictures, and reads them."""

    algorithm: str  # as C2PA lists it among soft bindings
    capacity: int  # bits that one picture holds

    def load(self) -> None:
        """Load what is needed; raises ModelUnavailable."""
        ...

    def embed(self, image: Image.Image, payload: str) -> Image.Image:
        """Return an RGB image of the same size that holds `capacity` bits, a text of 0 and 1."""
        ...

    def read(self, image: Image.Image) -> str | None:
        """Return the bits that an RGB image holds, None where none can be read.

        An image that nobody marked may seem to hold some.
        """
        ...

    def binding(self, payload: str) -> str:
        """Return the bits as a soft binding of this algorithm writes them."""
        ...


def load_watermarker(settings: Settings) -> Watermarker | None:
    """Return what marks pictures by these settings, None for nothing; nothing is loaded yet."""
    if settings.trustmark is None:
        return None
    return TrustMark(settings.trustmark, settings.device)


def new_payload(capacity: int) -> str:
    """Return bits that no other picture has, as far as chance goes."""
    return format(secrets.randbits(capacity), f"0{capacity}b")
