"""Every process logs in one form; what belongs together can be found, and no key is in it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from structlog.contextvars import bound_contextvars

from attribution import logs
from attribution.tenants import within

KEY = f"lk_0123abcd_{'x' * 43}"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.c2ln"


def line(form: logs.Format, said: str, *values: object, error: Exception | None = None) -> str:
    """Return the line that a warning of the index becomes."""
    exc_info = (type(error), error, None) if error else None
    record = logging.LogRecord("index", logging.WARNING, "f.py", 1, said, values, exc_info)
    return logs.formatter(form).format(record)


def test_a_line_says_when_where_and_for_whom() -> None:
    """As one object for programs, and as one line with the same values for people."""
    with within("studio"), bound_contextvars(request="r-1", job="j-1"):
        found: dict[str, Any] = json.loads(line("json", "slow by %d s", 3))
        shown = line("console", "slow by %d s", 3)
    assert found.pop("timestamp").endswith("Z")
    assert found == {
        "event": "slow by 3 s",
        "level": "warning",
        "logger": "index",
        "tenant": "studio",
        "request": "r-1",
        "job": "j-1",
    }
    assert "\n" not in shown
    assert all(one in shown for one in ("slow by 3 s", "warning", "studio", "r-1", "j-1"))


def test_no_key_or_token_is_in_a_line() -> None:
    """Neither as a value of it, nor in the message, nor in the error behind it."""
    for form in ("json", "console"):
        said = line(form, f"GET /v1?key={KEY} as %s", JWT, error=ValueError(f"{KEY} {JWT}"))
        assert "GET /v1?key=lk_… as eyJ…" in json.loads(said)["event"] if form == "json" else said
        assert "lk_0" not in said
        assert "eyJh" not in said


def test_the_command_line_logs_as_it_is_set(tmp_path: Path) -> None:
    """With requests of the HTTP client left out, in whatever form."""
    code = (
        "import logging, sys; from api.cli import main; sys.argv = ['lawful', '--version']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "logging.getLogger().setLevel('INFO')\n"
        "logging.getLogger('httpx').info('HTTP Request'); logging.getLogger('ours').info('said')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "LAWFUL_HOME": str(tmp_path), "LAWFUL_LOG_FORMAT": "json"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [json.loads(one)["event"] for one in done.stderr.splitlines()] == ["said"]
