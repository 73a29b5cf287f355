"""Logs of all processes: a line each, with time, level and what it belongs to, without keys.

The program logs by `logging`, as the libraries do; structlog renders both alike.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from attribution import tenants

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["console", "json"]

TOKEN = re.compile(r"lk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}")
JWT = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*")
QUIET = ("httpx", "httpcore")  # a line for every request to the index


class _Late(logging.Formatter):
    """Makes lines as `formatter`, which it asks for at the first: most commands log nothing."""

    def __init__(self, read_form: Callable[[], Format]) -> None:
        super().__init__()
        self._read_form = read_form

    @cached_property
    def _formatter(self) -> logging.Formatter:
        return formatter(self._read_form())

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return self._formatter.format(record)


def set_up(read_form: Callable[[], Format]) -> None:
    """Log warnings to stderr; where somebody else has set logging up, that stays."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Late(read_form))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def formatter(form: Format) -> logging.Formatter:
    """Return what makes a line of a record: JSON for programs, columns for people."""
    import structlog

    if form == "json":
        renderer: Processor = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            _with_tenant,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _without_tokens,
            renderer,
        ],
    )


def hide_tokens(text: str) -> str:
    """Take keys and tokens out of a text: some callers put them into URLs."""
    return JWT.sub("eyJ…", TOKEN.sub("lk_…", text))


def _with_tenant(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    return {"tenant": tenants.meant(), **event}


def _without_tokens(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    return {
        key: hide_tokens(value) if isinstance(value, str) else value for key, value in event.items()
    }
