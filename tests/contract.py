"""The description of the API: answers are held against it, and a client is made from it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from fastapi.testclient import TestClient

from api.http.app import create_app
from tests.apis import settings

CONFIG = Path(__file__).parents[1] / "docs" / "openapi-python-client.yaml"
UNDOCUMENTED = {404, 405}  # of a path, or of a method, that is not in the description


@cache
def description() -> dict[str, Any]:
    """Return the description; no setting changes it."""
    return create_app(settings(Path("nowhere"))).openapi()


def operation(method: str, path: str) -> dict[str, Any] | None:
    """Return the operation that a request is for: of `/sets` and `/{id}`, the former."""
    paths = [
        one
        for one in description()["paths"]
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one), path)
    ]
    if not paths:
        return None
    found: dict[str, Any] | None = description()["paths"][
        min(paths, key=lambda one: one.count("{"))
    ].get(method.lower())
    return found


def violation(schema: dict[str, Any], value: object) -> str:
    """Return what of a value does not fit a schema of the description; "" where all does."""
    validator = jsonschema.Draft202012Validator(
        schema | {"components": description()["components"]}
    )
    error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    return f"{error.json_path}: {error.message}" if error else ""


def watched(client: TestClient) -> TestClient:
    """Have every answer to this client held against the description."""
    client.event_hooks = {"response": [_holds]}
    return client


def _holds(response: Any) -> None:
    request, status = response.request, response.status_code
    known = operation(request.method, request.url.path)
    said = f"{request.method} {request.url.path} answered {status}"
    if known is None:
        assert status in UNDOCUMENTED or request.method == "GET", said
        return
    assert str(status) in known["responses"], f"{said}, which its description does not list"
    content = known["responses"][str(status)].get("content", {})
    if status in (204, 304):
        return
    media_type = response.headers["content-type"].partition(";")[0]
    assert media_type in {one.partition(";")[0] for one in content}, f"{said} as {media_type}"
    if media_type.endswith("json") and "$ref" in content[media_type].get("schema", {}):
        response.read()
        problem = violation(content[media_type]["schema"], response.json())
        assert not problem, f"{said}: {problem}"


def generate_client(folder: Path) -> None:
    """Make the package `lawful_client` in a folder; raises CalledProcessError for a warning."""
    (folder / "openapi.json").write_text(json.dumps(description()))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"]
    command += ["--path", str(folder / "openapi.json"), "--meta", "none", "--config", str(CONFIG)]
    command += ["--output-path", str(folder / "lawful_client")]
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it formats by ruff
    subprocess.run(command, check=True, env=os.environ | {"PATH": tools})
