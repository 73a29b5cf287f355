"""Compose files and Dockerfile, read without Docker: schema, commands, settings, order, secrets."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

import psutil
import pytest
import typer
import yaml
from redis import AuthenticationError, Redis

from api.cli import app
from api.servers.local_servers import redis
from attribution.config import Settings
from ingest.work.application import QUEUES
from tests.index_servers import free_port
from tests.portfolios import wait_until

ROOT = Path(__file__).parents[1]
FILES = (ROOT / "docker-compose.yml", ROOT / "docker-compose.gpu.yml")
PLAIN, GPU = (yaml.safe_load(path.read_text()) for path in FILES)
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = ("migrate", "api", "worker", "draw", "beat")
SERVICES = [(name, one) for file in (PLAIN, GPU) for name, one in file["services"].items()]
EVERY_SERVICE = pytest.mark.parametrize(("name", "service"), SERVICES)
FOLLOWING = re.MULTILINE | re.DOTALL
WITH_DEFAULT = {"LAWFUL_PORT", "LAWFUL_PROBE_HOSTS"}  # no secrets
SETTINGS = {f"LAWFUL_{name.upper()}" for name in Settings.model_fields}
FIXED = {"LAWFUL_HOME", "LAWFUL_HOST", "LAWFUL_PORT", "LAWFUL_DEVICE"}  # by image, command, file


def strings(value: Any) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)
    elif isinstance(value, str):
        yield value


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_schema(path: Path) -> None:
    """The file is valid under the Compose Specification."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, str(path)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@EVERY_SERVICE
def test_command_exists(name: str, service: dict[str, Any]) -> None:
    """What a service of ours runs is a command of `lawful` with these options."""
    if name in OURS:
        words = service["command"]
        group = typer.main.get_command(app)
        context = group.make_context("lawful", list(words), resilient_parsing=True)
        command = group.get_command(context, words[0])  # type: ignore[attr-defined]

        assert command is not None, f"lawful has no command {words[0]}"
        command.make_context(words[0], list(words[1:]))
    else:
        assert "lawful" not in str(service.get("command"))


def test_documented_commands_exist() -> None:
    """What docs/deployment.md runs in our services is a command of `lawful`, with its options."""
    page = (ROOT / "docs" / "deployment.md").read_text()
    line = r"^\$ docker compose run --rm (?:--volume \S+ )?(\w+) (.+)$"
    shown = re.findall(line, page, re.MULTILINE)

    assert ("api", 'keys create "first operator" --role operator') in shown
    for service, command in shown:
        assert service in OURS
        group, words = typer.main.get_command(app), shlex.split(command)
        while words and hasattr(group, "commands"):
            group = group.commands[words.pop(0)]
        group.make_context("lawful", words, resilient_parsing=True)


@EVERY_SERVICE
def test_settings_exist(name: str, service: dict[str, Any]) -> None:
    """Every LAWFUL_ variable is a setting, and our services know where all servers are."""
    environment = service.get("environment") or {}
    assert {key for key in environment if key.startswith("LAWFUL_")} <= SETTINGS

    if name in OURS and service is PLAIN["services"][name]:
        shared = {key: value for key, value in environment.items() if key != "OMP_NUM_THREADS"}
        assert shared == PLAIN["x-environment"]


def test_every_setting_can_be_set() -> None:
    """No line of `.env` is dropped in silence."""
    assert SETTINGS - set(PLAIN["x-environment"]) == FIXED


def test_addresses_name_services() -> None:
    """The hosts in the addresses are services of the file."""
    environment = PLAIN["x-environment"]
    hosts = {
        re.sub(r"\$\{[^}]*\}", "x", environment[key]).rpartition("@")[2].split("//")[-1]
        for key in ("LAWFUL_DATABASE_URL", "LAWFUL_BROKER_URL", "LAWFUL_QDRANT_URL")
    }

    assert {re.split("[:/]", host)[0] for host in hosts} == {"postgres", "redis", "qdrant"}
    assert {re.split("[:/]", host)[0] for host in hosts} <= set(PLAIN["services"])


def test_order() -> None:
    """Servers in health, then the tables, then all else."""
    needs = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in PLAIN["services"].items()
    }
    servers = {
        "migrate": "service_completed_successfully",
        "redis": "service_healthy",
        "qdrant": "service_healthy",
    }

    assert needs.pop("migrate") == {"postgres": "service_healthy"}
    assert {name: need for name, need in needs.items() if need} == dict.fromkeys(
        ("api", "worker", "draw", "beat"), servers
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_secrets_have_no_default(path: Path) -> None:
    """A password or key is asked for, and starting without it is refused."""
    asked = re.findall(r"\$\{(\w+)([^}]*)\}", path.read_text())

    assert all(rest.startswith(":?") for name, rest in asked if name not in WITH_DEFAULT), asked
    for text in strings(yaml.safe_load(path.read_text())):
        assert not re.search(r"://\w*:[^$@]+@", text), text
    for _, service in SERVICES:
        for key, value in (service.get("environment") or {}).items():
            if re.search("PASSWORD|SECRET|KEY|AUTH", key):
                assert value is None or value.startswith("${"), key


def test_each_tag_is_built_once() -> None:
    """Several builds of one tag would take it from each other."""
    ours = [
        [one for name, one in file["services"].items() if name in OURS] for file in (PLAIN, GPU)
    ]

    assert [sum("build" in one for one in services) for services in ours] == [1, 1]
    assert {one["pull_policy"] for one in ours[0]} == {"never"}


def test_the_password_of_redis_is_no_argument(tmp_path: Path) -> None:
    """Every user of a machine can read those of the processes that run on it."""
    server = Path(redis(tmp_path / "prepared").command[0])
    port, unseen = free_port(), token_hex()
    shell, option, script = PLAIN["services"]["redis"]["command"]
    script = script.replace("$$", "$").replace("server - ", f"server - --port {port} ")
    environment = {"PATH": f"{server.parent}:/usr/bin:/bin", "REDISCLI_AUTH": unseen}

    with subprocess.Popen([shell, option, script], cwd=tmp_path, env=environment) as running:
        try:
            wait_until(lambda: is_open(port))
            assert unseen not in " ".join(psutil.Process(running.pid).cmdline())
            with Redis(port=port) as nobody, pytest.raises(AuthenticationError):
                nobody.ping()
            with Redis(port=port, password=unseen) as told:
                assert told.config_get("append*")["appendonly"] == "yes"
                assert told.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        finally:
            running.terminate()
    assert running.returncode == 0


def test_the_server_of_qdrant_gets_the_signal() -> None:
    """The script of its image ends at TERM before the server has written what it holds."""
    assert PLAIN["services"]["qdrant"]["entrypoint"] == ["./qdrant"]


def test_temporary_files_are_on_disk() -> None:
    """What is in `/tmp` counts as memory: uploads are unpacked in the home, which is a volume."""
    assert PLAIN["x-lawful"]["tmpfs"] == ["/tmp:size=64m"]  # noqa: S108  of the container
    assert "LAWFUL_HOME" not in PLAIN["x-environment"]  # the image names the volume


def test_nothing_is_copied_into_a_read_only_container() -> None:
    """Compose cannot: contents of configs and secrets would keep the service from starting."""
    assert not PLAIN.keys() & {"configs", "secrets"}


def test_images_are_pinned() -> None:
    """Every image has a version; ours has that of the program, and all stages one Python."""
    images = {name: service["image"] for name, service in PLAIN["services"].items()}
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    ours = {images.pop(name) for name in OURS}

    assert ours == {f"lawful-diffusion:{PROJECT['version']}"}
    for service in GPU["services"].values():
        assert service["image"] == f"lawful-diffusion:{PROJECT['version']}-cuda"
    for image in (*images.values(), *bases):
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)*$", image), image
    assert len(set(bases)) == 1


@pytest.mark.parametrize("name", PLAIN["services"])
def test_confinement(name: str) -> None:
    """No root, nothing to write but volumes and memory, no privileges, limits on all resources."""
    service = PLAIN["services"][name]
    uid, gid = (int(part) for part in service["user"].split(":"))

    assert min(uid, gid) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(PLAIN["volumes"])


def test_ports() -> None:
    """The API alone can be reached from outside, and only from this machine."""
    ports = {name: service.get("ports", []) for name, service in PLAIN["services"].items()}

    assert {name: port for name, port in ports.items() if port} == {
        "api": ["127.0.0.1:${LAWFUL_PORT:-8000}:8000"]
    }
    assert not any("ports" in service for service in GPU["services"].values())


def test_health() -> None:
    """Every service that stays has a health check, or the file says why not."""
    parts = re.split(r"^  (\w+):(?: #.*)?$", FILES[0].read_text(), flags=re.MULTILINE)
    texts = dict(zip(parts[1::2], parts[2::2], strict=True))

    for name, service in PLAIN["services"].items():
        excused = name == "migrate" or "# no healthcheck:" in texts[name]
        assert ("healthcheck" in service) != excused, name


@pytest.mark.parametrize("name", ["worker", "draw"])
def test_gpu_file_changes_services_that_are_there(name: str) -> None:
    """The override has the plain file's workers serve the same queues on a card."""
    assert set(GPU["services"]) == {"worker", "draw"}
    worker = GPU["services"][name]
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]

    assert worker["environment"] == {"LAWFUL_DEVICE": "cuda"}
    assert worker["command"] == [*PLAIN["services"][name]["command"][:3], "--pool", "solo"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    for built in (one["build"] for one in GPU["services"].values() if "build" in one):
        assert set(built["args"]) <= set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE))


def test_every_queue_is_served_once() -> None:
    """No queue is left out, and pictures have a worker of their own."""
    commands = {name: service.get("command", []) for name, service in PLAIN["services"].items()}
    served = {
        name: words[2] for name, words in commands.items() if words[:2] == ["worker", "--queues"]
    }

    assert served["draw"] == "generate"
    assert sorted(",".join(served.values()).split(",")) == sorted(QUEUES)


def test_dockerfile_copies_what_is_there() -> None:
    """Each source of a COPY exists and is let through by .dockerignore; the wheel needs no more."""
    copies = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copies for source in line.split()[:-1]}
    let_through = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    needed = {
        *build["targets"]["wheel"]["packages"],
        *build["targets"]["wheel"]["force-include"],
        *PROJECT["license-files"],
        PROJECT["readme"],
    }

    assert all((ROOT / source).exists() for source in sources)
    assert sources == let_through
    assert needed <= sources


def test_dockerfile_user() -> None:
    """The image has the user of the services, and the home that they mount."""
    user = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1]

    assert user == PLAIN["x-lawful"]["user"]
    assert "LAWFUL_HOME=/data" in DOCKERFILE
    assert PLAIN["x-lawful"]["volumes"] == ["data:/data"]
    assert re.search(r'^ENTRYPOINT \["lawful"\]$', DOCKERFILE, re.MULTILINE)


def test_the_program_is_a_layer_of_its_own() -> None:
    """What is installed before it comes from the list of packages, which no version changes."""
    stages = dict(re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM)", DOCKERFILE, FOLLOWING))
    last = DOCKERFILE.rpartition("\nFROM ")[2]

    assert re.findall(r"^COPY (.+)$", stages["packages"], re.MULTILINE) == [
        "constraints.txt ./",
        "--from=requirements /src/requirements.txt ./",
    ]
    assert re.findall(r"^COPY (.+)$", last, re.MULTILINE) == [
        "--from=packages /opt/lawful /opt/lawful"
    ]
    assert "--mount=type=bind,from=wheel" in last


def test_dockerfile_requirements() -> None:
    """The line that lists what to install prints the dependencies and the extras of a server."""
    (code,) = re.findall(r'RUN python -c "(.*?)" \\$', DOCKERFILE, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code.replace("\\\n", "")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [
        *PROJECT["dependencies"],
        *PROJECT["optional-dependencies"]["s3"],
        *PROJECT["optional-dependencies"]["otel"],
    ]


def test_the_program_is_no_superuser() -> None:
    """Whom row-level security would not bind: it asks as the owner that the first start makes."""
    environment = PLAIN["services"]["postgres"]["environment"]
    (*_, made) = PLAIN["services"]["postgres"]["entrypoint"]

    assert "POSTGRES_USER" not in environment
    assert "CREATE ROLE lawful LOGIN PASSWORD" in made
    assert f"ALTER DATABASE {environment['POSTGRES_DB']} OWNER TO lawful;" in made
    assert PLAIN["x-environment"]["LAWFUL_DATABASE_URL"].startswith("postgresql://lawful:")
