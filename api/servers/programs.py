"""Programs that this one starts beside itself: started, watched, stopped, killed. Nothing more."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event

import psutil

from attribution.errors import BackendUnavailable, LawfulError

LOOPBACK = "127.0.0.1"
# Below the ports that systems hand to outgoing connections: one of those could come to sit on the
# port of a server that is just being restarted.
PORTS = range(20_000, 32_000)
TRIES = 5  # ports that are tried, should another program be quicker
POLL_S = 0.05
START_S = 120  # the slowest imports torch on a busy machine
GRACE_S = 30  # a worker finishes the batch in hand
SHOWN_LINES = 15


class CalledOff(LawfulError):
    """Somebody asked to end while a program was starting."""


@dataclass(kw_only=True)
class Program:
    """A process that can be started, stopped and killed, as often as you like.

    `{port}` in `command` and `address` stands for a port of loopback: the given one, or a free one
    that is chosen at the first start and kept. What the process says goes to the end of `log`.
    """

    name: str
    command: Sequence[str]
    log: Path
    is_ready: Callable[[Program], bool]
    address: str = ""  # the URL of one that listens
    port: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)  # on top of our own
    folder: Path | None = None  # to run in
    user: int | None = None  # to run as
    stop_signal: signal.Signals = signal.SIGTERM
    called_off: Event = field(default_factory=Event, repr=False)  # ends a start that is waiting
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _log_begin: int = field(default=0, repr=False)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._with_port(self.address)

    @property
    def is_running(self) -> bool:
        """Whether its process lives, ready or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The id of its process, if it lives."""
        return self._process.pid if self._process and self.is_running else None

    def start(self) -> None:
        """Start it and wait until it is ready; raises BackendUnavailable with its last words."""
        if self.is_running:
            return
        self.kill()  # the children of one that died by itself
        if self.port or not self.address:
            self._start()
            return
        for tries_left in reversed(range(TRIES)):
            self.port = _free_port()
            try:
                self._start()
            except BackendUnavailable:
                if not tries_left or _is_free(self.port):
                    raise
            else:
                return

    def run(self) -> None:
        """Start it and wait for its end; raises BackendUnavailable unless that is a success."""
        self._launch()
        if self._process and self._process.wait() != 0:
            raise self.failure()

    def stop(self) -> None:
        """Ask it to end and wait; what has not ended after a time of grace is killed."""
        if self._process:
            self._process.send_signal(self.stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_S)
        self.kill()

    def kill(self) -> None:
        """End it and all that it started, at once, as `kill -9` does."""
        if self._process is None:
            return
        family = _family(self._process.pid)
        with suppress(ProcessLookupError):  # children of a parent that is gone are still its group
            os.killpg(self._process.pid, signal.SIGKILL)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        while any(_lives(process) for process in family):
            time.sleep(POLL_S)
        self._process = None

    def said(self) -> str:
        """Return what it has logged since its last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_begin)
            return log.read().decode(errors="replace")

    def failure(self) -> BackendUnavailable:
        """Return the error of a process that has ended, or does not get ready."""
        code = self._process.poll() if self._process else None
        state = "is not ready" if code is None else f"ended with exit code {code}"
        lines = self.said().splitlines()[-SHOWN_LINES:]
        return BackendUnavailable("\n  ".join([f"{self.name} {state}; {self.log} ends:", *lines]))

    def _start(self) -> None:
        self._launch()
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise

    def _wait(self) -> None:
        until = time.monotonic() + START_S
        while not (self.is_running and self.is_ready(self)):
            if not self.is_running or time.monotonic() > until:
                raise self.failure()
            if self.called_off.wait(POLL_S):
                raise CalledOff(f"{self.name} was not waited for")

    def _launch(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_begin = log.tell()
            self._process = subprocess.Popen(  # noqa: S603  our own programs
                [self._with_port(word) for word in self.command],
                cwd=self.folder,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
                start_new_session=True,  # Ctrl-C is meant for us: we end the others in their order
            )

    def _with_port(self, text: str) -> str:
        return text.replace("{port}", str(self.port))


@contextmanager
def running(program: Program) -> Iterator[Program]:
    """Start it; stop it at the end of the block."""
    program.start()
    try:
        yield program
    finally:
        program.stop()


def answers(path: str) -> Callable[[Program], bool]:
    """Return the check of a program that is ready when GET `path` answers 200."""

    def check(program: Program) -> bool:
        connection = HTTPConnection(LOOPBACK, program.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    return check


def _free_port() -> int:
    while True:
        port = secrets.choice(PORTS)
        if _is_free(port):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _family(pid: int) -> list[psutil.Process]:
    """Return all that a process started; PostgreSQL's leave its group."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _lives(process: psutil.Process) -> bool:
    """Whether it has not ended; that nobody asks a dead one how it ended is not our affair."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
