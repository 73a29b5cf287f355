"""An error that no code foresaw, about one row or one table: its refusal, and no end of the job."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)


def unforeseen(about: str, error: Exception) -> str:
    """Log an error with its traceback; returns the reason of a refusal."""
    logger.error("%s could not be understood", about, exc_info=error)
    return f"{about} could not be understood ({type(error).__name__}); please report this"
