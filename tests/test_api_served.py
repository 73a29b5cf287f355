"""The API as it is served: a running server, large uploads, and the examples of its document."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from api.http import guards
from api.http.app import create_app
from tests.apis import archive, local_client, png, settings, upload
from tests.contract import generate_client
from tests.keys import bearing
from tests.portfolios import wait_until
from tests.serving import serving
from tests.typescript import generate_types, node, node_modules, type_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[1] / "docs" / "api.md"
MIB = 1 << 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Serve on a free port of loopback; images up to 1 MiB, archives up to 2."""
    app = create_app(settings(tmp_path / "home", max_image_mb=1, max_archive_mb=2))
    with serving(app) as address:
        yield address


@contextmanager
def sending(address: tuple[str, int], *headers: str) -> Iterator[socket.socket]:
    """Begin a POST of a form."""
    with socket.create_connection(address, timeout=10) as connection:
        lines = [
            "POST /v1/ingest-jobs HTTP/1.1",
            "Host: localhost",
            "Content-Type: multipart/form-data; boundary=x",
            *headers,
        ]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        yield connection


PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'


def test_an_endless_upload_is_stopped(server: tuple[str, int]) -> None:
    """Without a length, the limit holds for what arrives: nobody reads to the end."""
    sent = 0
    with sending(server, "Transfer-Encoding: chunked") as connection:
        try:
            for chunk in (PART, *[bytes(MIB // 4)] * 1000):
                connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                sent += len(chunk)
        except OSError:  # the server has hung up
            pass
    assert sent < 100 * MIB


def test_the_answer_comes_before_the_end(server: tuple[str, int]) -> None:
    """A sender who listens is told 413 after the limit; an announced length at once."""
    with sending(server, "Transfer-Encoding: chunked") as connection:
        for chunk in (PART, *[bytes(MIB // 4)] * 12, bytes(MIB // 4)):
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")
    with sending(server, f"Content-Length: {10**12}") as connection:
        answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"application/problem+json" in answer


def test_a_slow_sender_is_not_waited_for(
    server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one who stops, nor one who sends a byte now and then."""
    monkeypatch.setattr(guards, "SILENCE_S", 0.3)
    with sending(server, f"Content-Length: {MIB}") as connection:
        connection.sendall(PART)
        answer = connection.recv(2000)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in answer

    with sending(server, f"Content-Length: {MIB}") as connection:
        connection.settimeout(0.05)
        connection.sendall(PART)
        for _ in range(60):
            connection.sendall(b"x")
            try:
                answer = connection.recv(2000)
                break
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408")


def test_a_length_that_lies_cannot_pass(server: tuple[str, int]) -> None:
    """More bytes than announced are no part of the body."""
    with sending(server, f"Content-Length: {len(PART)}") as connection:
        connection.sendall(PART + bytes(MIB))
        assert b" 4" in connection.recv(1000).split(b"\r\n")[0]


def test_the_examples_of_the_document_run(tmp_path: Path) -> None:
    """Every `curl` of docs/api.md does what the page says, in its order."""
    (tmp_path / "picture.png").write_bytes(png(1))
    (tmp_path / "portfolio.zip").write_bytes(archive({"Bob/1.png": png(2)}))
    commands = re.findall(r"^\$ (curl .*)$", DOCUMENT.read_text(), re.MULTILINE)
    assert len(commands) >= 18

    with local_client(create_app(settings(tmp_path / "home"))) as client:
        upload(
            client, png(1), artist="Ann Example", title="Red boat", year="1901", licence="CC0-1.0"
        )
        known = {"API": ""} | ids(client, png(1))
        for command in commands:
            wait_until(lambda: all_ended(client))
            changes = client.get("/v1/changes").json()["items"]
            known["CHANGE"] = next((one["id"] for one in changes if one["kind"] != "undo"), "")
            declared = (one["id"] for one in changes if one["kind"] == "declare")
            known["DECLARATION"] = next(declared, "")
            response = run(client, shlex.split(Template(command).substitute(known)), tmp_path)
            assert response.status_code < 300, f"{command}: {response.text}"
            if tag := response.headers.get("etag"):
                known["TAG"] = tag.replace('"', '\\"')  # within the quotes of a shell
            if "/v1/lookup-batches -F" in command:
                known["BATCH"] = response.json()["id"]
            if "/v1/subjects?attribution" in command:
                known["SUBJECT"] = response.json()["items"][0]["id"]
            if "/v1/webhooks --json" in command:
                known["WEBHOOK"] = response.json()["id"]
            if command.endswith("/test -X POST"):
                known["DELIVERY"] = response.json()["id"]
            if "/v1/keys --json" in command:
                made = response.json()
                known |= {"TOKEN": made["token"], "KEY": made["id"]}
                client.headers.update(bearing(made["token"]))  # `-H`, for what is asked here too
            if "items?outcome=added" in command or "v1/search" in command:
                assert next(iter(response.json().values())), command


def all_ended(client: TestClient) -> bool:
    """Tell whether no job waits or runs."""
    jobs = client.get("/v1/ingest-jobs").json()["items"]
    return all(job["status"] == "done" for job in jobs)


def ids(client: TestClient, picture: bytes) -> dict[str, str]:
    """Return what the page's variables stand for."""
    upload(client, png(3), artist="Cy")

    def items(path: str) -> Any:
        return client.get(path).json()["items"]

    client.post("/v1/generations", json={"prompt": "a boat"})
    wait_until(lambda: items("/v1/generations")[0]["status"] == "done")

    return {
        "JOB": items("/v1/ingest-jobs")[0]["id"],
        "PICTURES": items("/v1/generations")[0]["id"],
        "WORK": items("/v1/artworks")[0]["id"],
        "ANSWER": client.post("/v1/attributions", files={"image": picture}).json()["id"],
        "SKETCH": client.post("/v1/attributions", files={"image": png(9)}).json()["id"],
        "NEXT": client.get("/v1/artworks?limit=1").json()["next"],
        "FOLLOWING": client.get("/v1/search?q=boat&limit=1").json()["next"],
    }


def run(client: TestClient, words: list[str], folder: Path) -> Any:
    """Do what curl would with the options that the page uses: -FGHdioX, --json."""
    form: dict[str, str] = {}
    body: Any = None
    files: dict[str, bytes] = {}
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    method = dict(pairwise(words)).get("-X")
    path, rest = "", (word for word in words[1:] if word not in ("-G", "-N", "-i"))
    for word in rest:
        if word == "-F":
            name, value = next(rest).split("=", 1)
            if value.startswith("@"):
                files[name] = (folder / value[1:]).read_bytes()
            else:
                form[name] = value
        elif word in ("-d", "--data-urlencode"):
            name, value = next(rest).split("=", 1)
            query[name] = value
        elif word == "--json":
            body = json.loads(next(rest))
        elif word == "-H":
            name, value = next(rest).split(": ", 1)
            headers[name] = value
        elif word in ("-o", "-X"):
            next(rest)
        else:
            path = word
    if body is not None:
        return client.request(method or "POST", path, json=body, headers=headers)
    if files:
        return client.post(path, files=files, data=form, headers=headers)
    return client.request(method or "GET", path, params=query or None, headers=headers)


def test_a_generated_client_does_what_the_document_says(
    server: tuple[str, int], tmp_path: Path
) -> None:
    """The Python of docs/api.md, with the client that is made without a warning."""
    generate_client(tmp_path)
    (tmp_path / "picture.png").write_bytes(png(1))
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    example = example.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{server[1]}")
    command = [sys.executable, "-c", example]
    run = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)

    assert run.stdout == "Shows the same image as “Red boat” by Ann Example (ann-example).\n"


def test_a_generated_typescript_client_does_what_the_document_says(
    server: tuple[str, int], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Its types are made without a warning; they fit the example, and refuse what is no route."""
    (tmp_path / "node_modules").symlink_to(node_modules(pytestconfig.cache.mkdir("typescript")))
    generate_types(tmp_path)
    (example,) = re.findall(r"```typescript\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    example = example.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{server[1]}")
    (tmp_path / "example.mts").write_text(example)
    (tmp_path / "wrong.mts").write_text(example.replace('"/v1/artists"', '"/v1/artist"'))

    refusals = type_errors(tmp_path, "example.mts", "wrong.mts")
    assert "'\"/v1/artist\"' is not assignable" in refusals[0]
    assert all(one.startswith("wrong.mts") for one in refusals)

    with httpx2.Client(base_url=f"http://127.0.0.1:{server[1]}") as client:
        upload(client, png(1), artist="Ann Example")
    run = node(tmp_path, "example.mts")

    assert (run.stdout, run.returncode) == ("Ann Example: 1\n", 0), run.stderr


def test_the_json_examples_are_json() -> None:
    """The answers that the page shows can be parsed."""
    for example in re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL):
        assert json.loads(example)
