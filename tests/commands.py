"""The command line as scripts call it: every command in a process of its own.

Nearly all of the time of a short command goes into imports, into working out all commands, and into
the tables of an empty home. So the packages that commands use, and of ours what all of them begin
with, are imported once, by `warm_start.py`, which works out the rest too, and every command is a
fork of that process; what else it imports, it does itself, in its own order. Commands are started
cold by `test_wheel.py` and `e2e/`.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from threading import Lock

WARM_START = Path(__file__).with_name("warm_start.py")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"]}
RUN = "from api.cli import main; main()"


def lawful(
    home: Path,
    *words: str,
    profile: str = "stub",
    run: str = RUN,
    stdin: str = os.devnull,
    **settings: str,
) -> subprocess.CompletedProcess[str]:
    """Run one command in a process of its own."""
    env = ENVIRONMENT | {"LAWFUL_HOME": str(home), "LAWFUL_PROFILE": profile}
    env |= {f"LAWFUL_{name.upper()}": value for name, value in settings.items()}
    return _warm().run(run, words, env, stdin)


@cache
def _warm() -> _WarmStart:
    started = _WarmStart()
    atexit.register(started.close)
    return started


class _WarmStart:
    """A process that has imported much and forks on request."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", WARM_START, str(theirs.fileno())],
                cwd=WARM_START.parents[1],
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._answers = self._ours.makefile(encoding="utf-8")
        self._one_at_a_time = Lock()

    def run(
        self, program: str, words: tuple[str, ...], env: dict[str, str], stdin: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as `python -c PROGRAM WORDS` would."""
        with tempfile.TemporaryDirectory() as folder, self._one_at_a_time:
            out, err = Path(folder, "out"), Path(folder, "err")
            asked = {
                "program": program,
                "words": words,
                "env": env,
                "folder": str(Path.cwd()),
                "streams": [stdin, str(out), str(err)],
            }
            self._ours.sendall(json.dumps(asked).encode() + b"\n")
            code = int(self._answers.readline())
            command = [sys.executable, "-c", program, *words]
            return subprocess.CompletedProcess(command, code, out.read_text(), err.read_text())

    def close(self) -> None:
        """End the process."""
        self._answers.close()
        self._ours.close()
        self._process.wait()
