"""What Pillow's parsers raise on bytes that are not what they claim to be."""

from __future__ import annotations

import struct
import zlib

DAMAGED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,  # of the AVIF decoder; RecursionError and NotImplementedError are among them
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
