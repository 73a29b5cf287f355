"""A deployment by docker-compose.yml, in a copy of this repository and under a name of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.index_servers import free_port
from tests.portfolios import wait_until

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
SETTINGS = {"LAWFUL_BATCH_SIZE": "8", "LAWFUL_JOB_LEASE_S": "5"}  # a dead worker is noticed soon
PATIENCE_S = 600


def documented(heading: str) -> list[str]:
    """Return the commands below a heading of docs/deployment.md, in their order."""
    (section,) = re.findall(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(r"^\$ (.+)$", section, re.MULTILINE)


class Deployment:
    """Commands in the folder of a deployment, and its API."""

    def __init__(self, folder: Path) -> None:
        """Copy the repository to `folder`/clone; `folder` is the home that commands call `~`."""
        self.home = folder
        self.clone = folder / "clone"
        files = subprocess.run(
            ["/usr/bin/env", "git", "ls-files", "-z"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in files.stdout.split("\0")[:-1]:
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.clone / name)
        if index := os.environ.get("TORCH_INDEX"):  # where PyTorch's own cannot be reached
            build = {"services": {"migrate": {"build": {"args": {"TORCH_INDEX": index}}}}}
            (self.clone / "docker-compose.override.yml").write_text(yaml.safe_dump(build))
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{free_port()}", timeout=PATIENCE_S)
        self._environment = os.environ | {
            "HOME": str(folder),
            "DOCKER_CONFIG": os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker")),
            "COMPOSE_PROJECT_NAME": "lawful-diffusion-tests",  # not what runs here for real
            "LAWFUL_PORT": str(self.api.base_url.port),
        }

    def run(self, line: str, *, codes: tuple[int, ...] = (0,)) -> str:
        """Run a line as a person types it; returns what it printed."""
        done = self._done(line)
        if done.returncode not in codes:
            logs = self._done("docker compose logs --tail 20").stdout
            pytest.fail(f"{line}: {done.returncode}\n{done.stdout}{done.stderr}{logs}")
        return done.stdout

    def _done(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self.clone,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=3 * PATIENCE_S,
            check=False,
        )

    def inspect(self, service: str) -> list[dict[str, Any]]:
        """Return what the engine knows of a service's containers, ended ones too."""
        ids = self.run(f"docker compose ps --all --quiet {service}").split()
        return json.loads(self.run(f"docker inspect {' '.join(ids)}"))  # type: ignore[no-any-return]

    def inside(self, service: str, script: str, *, codes: tuple[int, ...] = (0,)) -> str:
        """Run a script of the shell in a running container."""
        return self.run(f"docker compose exec -T {service} sh -c '{script}'", codes=codes)

    def kill(self, service: str) -> None:
        """Send KILL to all processes of a container, and wait until it runs again."""
        before = {one["Id"]: one["State"]["StartedAt"] for one in self.inspect(service)}
        self.inside(service, "kill -9 -1", codes=tuple(range(256)))

        def runs_again() -> bool:
            states = {one["Id"]: one["State"] for one in self.inspect(service)}
            return all(one["Running"] for one in states.values()) and any(
                one["StartedAt"] != before.get(name) for name, one in states.items()
            )

        wait_until(runs_again, timeout_s=120)

    def get(self, path: str) -> Any:
        """Ask the API, for as long as it is away."""
        answers = []

        def answered() -> bool:
            try:
                answers.append(self.api.get(path))
            except httpx.TransportError:
                return False
            return answers[-1].status_code == httpx.codes.OK

        wait_until(answered, timeout_s=PATIENCE_S)
        return answers[-1].json()

    def upload(self, archive: Path) -> str:
        """Send an archive; returns the path of its job."""
        with archive.open("rb") as file:
            sent = self.api.post("/v1/ingest-jobs", files={"file": file})
        assert sent.status_code == httpx.codes.ACCEPTED, sent.text
        return sent.headers["location"]

    def until(self, job: str, so: Callable[[dict[str, Any]], bool]) -> None:
        """Wait for a state of a job."""

        def reached() -> bool:
            time.sleep(0.2)
            return so(self.get(job))

        wait_until(reached, timeout_s=PATIENCE_S)

    def outcomes(self, job: str) -> dict[str, int]:
        """Wait for the end of a job and count what became of its files."""
        self.until(job, lambda state: state["finished_at"] is not None)
        state = self.get(job)
        assert state["status"] == "done", state
        return {outcome: files for outcome, files in state["outcomes"].items() if files}


@contextmanager
def deployed(folder: Path) -> Iterator[Deployment]:
    """Build and start everything as docs/deployment.md says; remove it with all its data."""
    deployment = Deployment(folder)
    make_secrets, protect, *start, _, _ = documented("With Docker Compose")
    try:
        deployment.run(make_secrets)
        deployment.run(protect)
        with (deployment.clone / ".env").open("a") as env:
            env.writelines(f"{name}={value}\n" for name, value in SETTINGS.items())
        (key,) = re.findall(r"lk_\S+", "".join(deployment.run(line) for line in start))
        deployment.api.headers["Authorization"] = f"Bearer {key}"
        yield deployment
    finally:
        deployment.run("docker compose down --volumes --timeout 120")
        deployment.api.close()
