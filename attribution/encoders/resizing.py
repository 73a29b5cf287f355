"""How an image becomes square: `resize` of an encoder, in the words of the libraries."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

Resize = Literal["crop", "letterbox", "squash"]  # its middle; all of it, with borders; distorted

OPEN_CLIP = MappingProxyType[Resize, Literal["shortest", "longest", "squash"]](
    {"crop": "shortest", "letterbox": "longest", "squash": "squash"}
)
TIMM = MappingProxyType[Resize, str]({"crop": "center", "letterbox": "border", "squash": "squash"})
