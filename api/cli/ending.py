"""How the process of a command ends: at once, when all is closed and said.

Python would look at every object of every library once more, which with models takes longer than a
second.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from types import TracebackType
from typing import Self

UNFLUSHED = 120  # exit code, as Python's own: what was printed last did not arrive


class Ending:
    """Ends the process with the code that the block ends with, behind whatever else ends with it.

    Begun first: what is registered with `atexit` later is called earlier, threads end before it.
    """

    def __init__(self) -> None:
        self._code = 0

    def __enter__(self) -> Self:
        atexit.register(self._end)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self._code = _code_of(error)

    def _end(self) -> None:
        logging.shutdown()
        try:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        except OSError:
            self._code = UNFLUSHED
        os._exit(self._code)


def _code_of(error: BaseException | None) -> int:
    """Return the exit code that Python gives for an error that nobody caught."""
    match error:
        case None | SystemExit(code=None):
            return 0
        case SystemExit(code=int(code)):
            return code & 0xFF
        case _:
            return 1
