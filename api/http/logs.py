"""Logging of the service: one format for all, every line with the id of its request."""

from __future__ import annotations

import logging
from typing import Any

from api.http.headers import request_id


class WithRequestId(logging.Filter):
    """Gives every record the id of the request that it belongs to; "-" outside of one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id; nothing is dropped."""
        record.request_id = request_id.get()
        return True


CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request": {"()": WithRequestId}},
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"}
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request"]}
    },
    "root": {"level": "WARNING", "handlers": ["stderr"]},
    "loggers": {"uvicorn": {"level": "INFO"}},
}
"""For `logging.config.dictConfig`; uvicorn's loggers write through the root's handler."""
