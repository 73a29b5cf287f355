"""The whole deployment on this machine, as real processes: what `lawful dev` runs and tests break.

PostgreSQL, Redis, one process that owns the vector index, workers, beat and the API, each started
with the command that a deployment would use and with the same settings.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from api.servers.local_servers import postgres, redis
from api.servers.programs import LOOPBACK, Program, answers
from attribution.errors import BackendUnavailable
from attribution.private import make_private_folder

WATCH_S = 0.5
MOST_DEATHS = 4  # of a program within `SOON_S`; then it is of no use to start it again
SOON_S = 300


def _ignore(_: Program) -> None:
    pass


def _say_nothing(_: str) -> None:
    pass


class Stack:
    """Programs by name, in the order of their start; all they keep stands in `home`.

    Started once; after that each program can be killed, stopped and started on its own. A program
    keeps its port and its data.
    """

    def __init__(
        self,
        home: Path,
        *,
        workers: int = 1,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a stack whose API listens on `port` or a free one; `settings` go to all."""
        self.home = home.resolve()
        self.programs: dict[str, Program] = {}
        # What points a command at this stack; the addresses are added while it starts.
        self.settings = {
            **(settings or {}),
            "LAWFUL_HOME": str(self.home),
            "LAWFUL_QDRANT_URL": str(self.home / "index"),  # of the process that owns it
            "LAWFUL_QDRANT_API_KEY": secrets.token_hex(16),
            "LAWFUL_STORAGE_URL": str(self.home / "storage"),
        }
        self._workers = workers
        self._port = port
        self._called_off = Event()
        self._deaths: defaultdict[str, list[float]] = defaultdict(list)  # when

    def __getitem__(self, name: str) -> Program:
        return self.programs[name]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, show: Callable[[Program], None] = _ignore) -> None:
        """Start everything, each when those it needs are ready, and show each that is.

        Raises BackendUnavailable with the last words of one that fails, and has stopped the rest.
        """
        try:
            self._start(show)
        except BaseException:
            self.stop()
            raise

    def watch(self, tell: Callable[[str], None] = _say_nothing) -> None:
        """Start again what ends by itself, after growing pauses, until `call_off`.

        Tells so. Raises BackendUnavailable when a program ends soon after its start too often.
        """
        while not self._called_off.wait(WATCH_S):
            for program in self.programs.values():
                if not program.is_running:
                    self._revive(program, tell)

    def _revive(self, program: Program, tell: Callable[[str], None]) -> None:
        moment = time.monotonic()
        deaths = [at for at in self._deaths[program.name] if moment - at < SOON_S] + [moment]
        self._deaths[program.name] = deaths
        if len(deaths) > MOST_DEATHS:
            raise BackendUnavailable(
                f"{program.name} ended {len(deaths)} times within {SOON_S} s and is not started "
                f"again; {program.failure()}"
            )
        pause_s = 2 ** (len(deaths) - 1)
        tell(f"{program.name} ended by itself; starting it again in {pause_s} s: {program.log}")
        if not self._called_off.wait(pause_s):
            with suppress(BackendUnavailable):  # the next look counts that as an end, too
                program.start()
                tell(f"{program.name} runs again, pid {program.pid}")

    def call_off(self) -> None:
        """End a start or a watch that goes on; safe in a signal handler."""
        self._called_off.set()

    def stop(self) -> None:
        """Stop what runs, the last one first. Nothing is removed."""
        for program in reversed(self.programs.values()):
            program.stop()

    def _start(self, show: Callable[[Program], None]) -> None:
        def begin(*programs: Program) -> None:
            for program in programs:
                program.called_off = self._called_off
                self.programs[program.name] = program
            with ThreadPoolExecutor() as together:  # most of a start is importing
                starts = {together.submit(program.start): program for program in programs}
                for started in as_completed(starts):
                    started.result()
                    show(starts[started])

        make_private_folder(self.home)  # first, as it decides where PostgreSQL keeps its data
        begin(database := postgres(self.home / "postgres"))  # its lock keeps a second stack out
        begin(broker := redis(self.home / "redis"))
        self.settings["LAWFUL_DATABASE_URL"] = database.url
        self.settings["LAWFUL_BROKER_URL"] = broker.url
        begin(index := self._server("index", "index-server"))
        self.settings["LAWFUL_QDRANT_URL"] = index.url
        self._command("migrate", "migrate").run()
        begin(
            *(
                self._command(f"worker-{number}", "worker --concurrency 1", says=" ready.")
                for number in range(1, self._workers + 1)
            ),
            self._command("beat", "beat", says="beat: Starting"),
            self._server("api", "serve", port=self._port),
        )

    def _command(self, name: str, words: str, *, says: str = "") -> Program:
        """Prepare `lawful WORDS`, which is ready when it has logged that."""
        return Program(
            name=name,
            # -P: a folder `api` where this was called from is not our package
            command=[sys.executable, "-P", "-m", "api.cli", *words.split()],
            log=self.home / "logs" / f"{name}.log",
            is_ready=lambda program: says in program.said(),
            environment=dict(self.settings),
        )

    def _server(self, name: str, command: str, *, port: int | None = None) -> Program:
        """Prepare `lawful COMMAND --host … --port …`, which answers when it is ready."""
        program = self._command(name, f"{command} --host {LOOPBACK} --port {{port}}")
        program.address, program.port = f"http://{LOOPBACK}:{{port}}", port
        program.is_ready = answers("/readyz")
        return program
