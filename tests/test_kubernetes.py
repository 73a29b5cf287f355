"""The manifests for Kubernetes: valid, confined, and in agreement with the program."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml
from kombu.transport.redis import Channel

from api.cli import app
from attribution.config import Settings
from ingest.work.application import QUEUES
from ingest.work.dispatch import BULK

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "kubernetes"
VERSION = "1.31"  # of Kubernetes
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
KEDA = "keda.sh/v1alpha1"


def manifests() -> Iterator[dict[str, Any]]:
    """Yield what the kustomization puts together."""
    for name in KUSTOMIZATION["resources"]:
        yield from yaml.safe_load_all((FOLDER / name).read_text())


ALL = list(manifests())
PODS = {one["metadata"]["name"]: one for one in ALL if one["kind"] in {"Deployment", "Job"}}
EVERY_POD = pytest.mark.parametrize("name", PODS)


def pod(name: str) -> dict[str, Any]:
    """Return what a pod is made of."""
    found: dict[str, Any] = PODS[name]["spec"]["template"]["spec"]
    return found


def args(name: str) -> list[str]:
    """Return the command of a pod."""
    (container,) = pod(name)["containers"]
    return list(container["args"])


def queues(name: str) -> list[str]:
    """Return which queues a worker takes from."""
    words = args(name)
    return words[words.index("--queues") + 1].split(",") if "--queues" in words else []


@pytest.mark.parametrize(
    "manifest", ALL, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}"
)
def test_it_is_valid(manifest: dict[str, Any]) -> None:
    """Under the schemas of Kubernetes; of KEDA, which has others, it refers to what there is."""
    if manifest["apiVersion"] != KEDA:
        kubernetes_validate.validate(manifest, VERSION, strict=True)
    elif manifest["kind"] == "ScaledObject":
        assert manifest["spec"]["scaleTargetRef"]["name"] in PODS
        named = {one["authenticationRef"]["name"] for one in manifest["spec"]["triggers"]}
        assert named == {
            one["metadata"]["name"] for one in ALL if one["kind"] == "TriggerAuthentication"
        }


def test_all_files_are_in() -> None:
    """With the image of this version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}

    assert set(KUSTOMIZATION["resources"]) == files
    assert [one["newTag"] for one in KUSTOMIZATION["images"]] == [project["version"]]


def test_settings_exist() -> None:
    """Each is one of the program's."""
    (given,) = (one["data"] for one in ALL if one["kind"] == "ConfigMap")
    known = {f"LAWFUL_{name.upper()}" for name in Settings.model_fields}

    assert set(given) <= known


@EVERY_POD
def test_nothing_is_open(name: str) -> None:
    """No root, no writing but where it says, no right of Kubernetes; memory has a limit."""
    spec = pod(name)
    (container,) = spec["containers"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]


@EVERY_POD
def test_the_command_exists(name: str) -> None:
    """It is one of `lawful`."""
    assert args(name)[0] in typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_each_queue_has_one_kind_of_worker() -> None:
    """None is left out, and none is taken from by two."""
    assert Counter(one for name in PODS for one in queues(name)) == Counter(QUEUES)


def test_workers_are_scaled_by_what_waits_in_their_queues() -> None:
    """In the lists that Celery makes of a queue: one for each priority."""
    for one in ALL:
        if one["kind"] != "ScaledObject":
            continue
        lists = [trigger["metadata"]["listName"] for trigger in one["spec"]["triggers"]]
        taken = queues(one["spec"]["scaleTargetRef"]["name"])
        assert sorted(lists) == sorted(
            name + suffix for name in taken for suffix in ("", f"{Channel.sep}{BULK}")
        )


def test_there_is_one_beat() -> None:
    """Also while it is replaced."""
    assert PODS["beat"]["spec"]["replicas"] == 1
    assert PODS["beat"]["spec"]["strategy"] == {"type": "Recreate"}
