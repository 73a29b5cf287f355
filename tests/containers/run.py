"""The documented deployment, by a Docker engine: start, confinement, kills, backup, upgrade.

The tests need each other's works and run in this order (`make containers`). Where the images of
Python, PostgreSQL, Valkey and Qdrant cannot be pulled, make stand-ins first: `stand_ins/make.sh`.
"""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from alembic.script import ScriptDirectory
from PIL import Image

from tests.containers.deployment import ROOT, Deployment, deployed, documented
from tests.portfolios import picture, portfolio

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
STAYING = [name for name in SERVICES if name != "migrate"]
PORTFOLIO = ROOT / "examples" / "portfolio"
ASKED = PORTFOLIO / "john-cliff"
KILLED_BY_9 = 137


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Start the deployment once, with two workers."""
    probe = ["/bin/sh", "-c", "docker info && docker compose version"]
    probed = subprocess.run(probe, capture_output=True, text=True, check=False)
    if probed.returncode:
        pytest.exit(f"this needs a Docker engine with Compose 2.23.1: {probed.stderr}", 1)
    with deployed(tmp_path_factory.mktemp("containers")) as deployment:
        yield deployment


def archive(path: Path, works: int, first: int) -> Path:
    """Write an archive of works that no other archive has."""
    folder = portfolio(path.with_suffix(""), artists=0)
    for work in range(works):
        own = folder / f"artist-{work % 4}"
        own.mkdir(parents=True, exist_ok=True)
        picture(first + work).save(own / f"{first + work}.png")
    return zipped(path, folder)


def zipped(path: Path, folder: Path) -> Path:
    """Write the files of a folder into an archive outside of it, as they are."""
    with zipfile.ZipFile(path, "w") as target:
        for file in sorted(folder.rglob("*.*")):
            target.write(file, file.relative_to(folder))
    return path


def answer(here: Deployment) -> dict[str, Any]:
    """Look a registered work up; returns what two answers from the same works have in common."""
    image = min(ASKED.iterdir()).read_bytes()
    found = here.api.post("/v1/attributions", files={"image": image})
    assert found.status_code == 201, found.text
    read = found.json()
    scores = {artist["slug"]: round(artist["score"], 6) for artist in read["artists"]}
    return {"verdict": read["verdict"], "copy_of": read["copy_of"], "scores": scores}


def files_done(job: dict[str, Any]) -> int:
    """Count the files of a job that have an outcome."""
    return job["files"] - job["outcomes"]["pending"]  # type: ignore[no-any-return]


def test_a_folder_and_an_archive_are_ingested(here: Deployment, tmp_path: Path) -> None:
    """The documented command ingests a mounted folder; the same works as an archive are known."""
    (here.home / "portfolios").symlink_to(PORTFOLIO)
    files = len([*PORTFOLIO.rglob("*.*")]) - 1  # without the table

    said = here.run(documented("With Docker Compose")[-1])
    job = here.upload(zipped(tmp_path / "again.zip", PORTFOLIO))

    assert re.search(rf"{files}\b", said), said
    assert here.outcomes(job) == {"known": files}


def test_an_attribution_is_answered(here: Deployment) -> None:
    """A registered work is found as a copy of itself."""
    assert answer(here)["copy_of"]["slug"] == ASKED.name


@pytest.mark.parametrize("service", STAYING)
def test_confinement(here: Deployment, service: str) -> None:
    """No root, no capabilities, no new privileges, a read-only root, volumes that are its own."""
    status = dict(
        line.split(":\t") for line in here.inside(service, "cat /proc/1/status").splitlines()
    )
    (one, *_) = here.inspect(service)
    limits = SERVICES[service]["deploy"]["resources"]["limits"]

    assert status["Uid"].split()[0] == SERVICES[service]["user"].split(":")[0]
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert one["HostConfig"]["ReadonlyRootfs"]
    here.inside(service, "! touch /here /etc/here /usr/here 2>/dev/null")
    for volume in SERVICES[service].get("volumes", []):
        here.inside(service, f"test -O {volume.split(':')[1]} && test -w {volume.split(':')[1]}")
    assert (
        one["HostConfig"]["Memory"]
        == int(limits["memory"][:-1]) << ({"m": 20, "g": 30}[limits["memory"][-1]])
    )
    assert one["HostConfig"]["PidsLimit"] == limits["pids"]
    assert one["HostConfig"]["NanoCpus"] == int(limits["cpus"]) * 10**9


def test_no_secret_is_an_argument_or_in_a_log(here: Deployment) -> None:
    """Every user of the machine can read arguments, and logs go elsewhere."""
    secrets = re.findall(r"=([0-9a-f]{48})$", (here.clone / ".env").read_text(), re.MULTILINE)
    assert len(secrets) == 3

    seen = here.run("docker compose top") + here.run("docker compose logs")

    assert not [secret for secret in secrets if secret in seen]


def test_settings_of_the_file_arrive(here: Deployment) -> None:
    """A line of `.env` reaches all processes of ours."""
    for service in ("api", "worker", "draw", "beat"):
        assert "LAWFUL_BATCH_SIZE=8" in here.inside(service, "env").splitlines()


@pytest.mark.parametrize("number", range(6))
def test_a_kill_loses_and_doubles_nothing(here: Deployment, tmp_path: Path, number: int) -> None:
    """Whatever dies while a job is under way, every file is added, once."""
    service = ("worker", "redis", "postgres", "qdrant", "api", "beat")[number]
    if number == 0:
        here.run("docker compose up --detach --wait --scale worker=2")
    works = 120
    job = here.upload(archive(tmp_path / "works.zip", works, 10_000 + 1_000 * number))
    here.until(job, lambda state: files_done(state) > 0)

    assert here.get(job)["status"] == "running"
    here.kill(service)

    assert here.outcomes(job) == {"added": works}


def test_the_stores_agree(here: Deployment) -> None:
    """After all kills the index has what the catalogue has, and nothing else."""
    here.run("docker compose run --rm --no-deps worker reconcile")


def test_a_stop_is_graceful(here: Deployment, tmp_path: Path) -> None:
    """Under work all end by themselves within their time, and the job goes on afterwards."""
    works = 120
    job = here.upload(archive(tmp_path / "works.zip", works, 20_000))
    here.until(job, lambda state: files_done(state) > 0)

    here.run("docker compose stop")
    codes = {name: {one["State"]["ExitCode"] for one in here.inspect(name)} for name in STAYING}
    here.run("docker compose up --detach --wait")

    assert not [name for name, ended in codes.items() if KILLED_BY_9 in ended], codes
    assert codes["worker"] == {0}
    assert here.outcomes(job) == {"added": works}


def test_down_and_up_keep_everything(here: Deployment) -> None:
    """Containers go, volumes stay."""
    before = answer(here)

    here.run("docker compose down --timeout 120")
    here.run("docker compose up --detach --wait")

    assert answer(here) == before


def test_an_archive_of_more_than_a_gigabyte(here: Deployment, tmp_path: Path) -> None:
    """It is unpacked on disk: neither `/tmp` nor memory bound it."""
    works = 19
    noise = np.random.default_rng(7).integers(0, 256, (4_500, 4_500, 3), dtype=np.uint8)
    (tmp_path / "files" / "noise").mkdir(parents=True)
    for work in range(works):
        shifted = Image.fromarray(np.roll(noise, 100 * work, axis=0))
        shifted.save(tmp_path / "files" / "noise" / f"{work}.png", compress_level=0)
    big = zipped(tmp_path / "big.zip", tmp_path / "files")
    assert big.stat().st_size > 1 << 30

    job = here.upload(big)

    assert here.outcomes(job) == {"added": works}


def test_large_lookups_do_not_end_the_api(here: Deployment, tmp_path: Path) -> None:
    """Eight of 100 megapixels at once: each is answered, or told to come again."""
    huge = tmp_path / "huge.webp"
    picture(5).resize((10_000, 10_000), Image.Resampling.NEAREST).save(huge)
    (before,) = here.inspect("api")

    def ask(_: int) -> int:
        asked = here.api.post("/v1/attributions", files={"image": huge.read_bytes()})
        assert asked.status_code == 201 or asked.headers["retry-after"], asked.text
        return asked.status_code

    with ThreadPoolExecutor(8) as together:
        codes = Counter(together.map(ask, range(8)))

    assert set(codes) <= {201, 503}
    assert codes[201] > 0
    (after,) = here.inspect("api")
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]


def test_backup_and_restore(here: Deployment) -> None:
    """The documented lines, literally: into empty volumes, and the same answer as before."""
    lines = documented("Backup and restore")
    backup, restore = lines[:2], lines[2:]
    before = answer(here)

    for line in backup:
        here.run(line)
    here.run("docker compose down --volumes --timeout 120")
    for line in restore:
        here.run(line)

    assert answer(here) == before


def test_the_database_goes_back_to_a_moment(here: Deployment, tmp_path: Path) -> None:
    """The documented base backup and a kept log: what came after the moment is gone, no more."""
    kept, base = "/var/lib/postgresql/archive", "/var/lib/postgresql/base"
    as_superuser = "docker compose exec -T postgres psql --username=postgres --tuples-only"
    here.inside("postgres", f"mkdir {kept}")
    here.run(
        f"{as_superuser} --command='ALTER SYSTEM SET archive_mode = on'"
        f""" --command="ALTER SYSTEM SET archive_command = 'cp %p {kept}/%f'" """
    )
    here.run("docker compose restart postgres")
    here.run("docker compose up --detach --wait postgres")
    (back_up,) = documented("To a moment")
    back_up = back_up.replace("--pgdata=base", f"--username=postgres --pgdata={base}")
    here.run(f"docker compose exec -T postgres {back_up}")
    before = here.upload(archive(tmp_path / "before.zip", 8, 30_000))
    assert here.outcomes(before) == {"added": 8}
    moment = here.run(f"{as_superuser} --command='SELECT now()'").strip()
    after = here.upload(archive(tmp_path / "after.zip", 8, 31_000))
    assert here.outcomes(after) == {"added": 8}
    here.run(f"{as_superuser} --command='SELECT pg_switch_wal()'")

    here.run("docker compose down --timeout 120")
    (tmp_path / "recovery.conf").write_text(
        f"restore_command = 'cp {kept}/%f %p'\nrecovery_target_time = '{moment}'\n"
        "recovery_target_action = promote\n"
    )
    here.run(
        "docker compose run --rm --no-deps --no-TTY --entrypoint sh postgres -c "
        f"'rm -r $PGDATA && mv {base} $PGDATA && cat >> $PGDATA/postgresql.auto.conf"
        f" && touch $PGDATA/recovery.signal' < {tmp_path / 'recovery.conf'}"
    )
    servers, _, _, *on = documented("Backup and restore")[2:]
    for line in (servers, *on):
        here.run(line)

    assert here.api.get(before).status_code == 200
    assert here.api.get(after).status_code == 404


def test_an_upgrade_brings_the_layer_of_the_program_alone(here: Deployment) -> None:
    """The documented lines, with a migration and a line of code more: packages are not written."""
    versions = here.clone / "migrations" / "versions"
    head = ScriptDirectory(str(versions.parent)).get_current_head()
    assert head
    probe = f"{head.split('_')[0]}_20990101_probe"  # of the same generation, so the newest
    (versions / f"{probe}.py").write_text(
        f'"""A revision."""\nrevision = "{probe}"\ndown_revision = "{head}"\n'
        "def upgrade() -> None: pass\n"
    )
    image = SERVICES["migrate"]["image"]
    before = json.loads(here.run(f"docker image inspect {image}"))[0]["RootFS"]["Layers"]

    for line in documented("Upgrades")[1:]:  # after `git pull`
        here.run(line)

    after = json.loads(here.run(f"docker image inspect {image}"))[0]["RootFS"]["Layers"]
    asked = "psql --username=postgres --tuples-only --command=TABLE\\ alembic_version lawful"
    assert probe in here.run(f"docker compose exec -T postgres {asked}")
    assert sum(new != old for new, old in zip(after, before, strict=True)) == 1
    assert answer(here)["copy_of"]
