"""Two doors, one program: what can be done at one, and what an error says at the other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from fastapi.testclient import TestClient

from api.cli import app
from api.hints import HTTP, TERMINAL, in_terminal, over_http
from attribution.errors import Hint, NotFound, Way
from tests.apis import is_problem
from tests.contract import description

ROOT = Path(__file__).parents[1]
TABLE = re.findall(
    r"^\| (?:`([A-Z]+ /[^`]*)`)? ?\| (?:`lawful ([^`]+)` )?\|$",
    (ROOT / "docs" / "api.md").read_text("utf-8"),
    re.MULTILINE,
)
WITH_ROUTE = {command for route, command in TABLE if route and command}


def commands(group: Any, before: str = "") -> Iterator[str]:
    """Return the names of all commands: `jobs list`."""
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, f"{before}{name} ")
        else:
            yield before + name


def test_the_table_has_every_route_and_every_command() -> None:
    """docs/api.md says which command is which route."""
    routes = {
        f"{method.upper()} {path}"
        for path, methods in description()["paths"].items()
        for method in methods
    }

    assert [route for route, _ in TABLE if route] == list(
        dict.fromkeys(route for route, _ in TABLE if route)
    )
    assert {route for route, _ in TABLE if route} == routes
    assert {command for _, command in TABLE if command} == set(
        commands(typer.main.get_command(app))
    )


def test_the_library_names_no_command_that_a_route_does_too() -> None:
    """Its sentences come out of both doors: such a way out is a hint."""
    said = [
        (path.name, command)
        for top in ("attribution", "ingest")
        for path in (ROOT / top).rglob("*.py")
        for text in texts(path)
        for command in re.findall(r"lawful ((?:jobs |lookups |non-copies )?[a-z][a-z-]+)", text)
        if command in WITH_ROUTE
    ]
    assert said == []


def texts(path: Path) -> Iterator[str]:
    """Return the texts of a module but its docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    documents = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documents:
            yield node.value


@pytest.mark.parametrize("way", Way)
def test_every_way_out_has_words_at_both_doors(way: Way) -> None:
    """The terminal names a command or option, HTTP a route or field, about the same things."""
    error = NotFound("no", hint=Hint(way, ("a", "b")))
    routes = description()["paths"]
    named = re.findall(r"(?:GET|POST) (/[^ ?,]*)", HTTP[way].format("{}", "{}"))

    assert in_terminal(error).startswith("no; ")
    assert ("lawful" in TERMINAL[way]) or ("--" in TERMINAL[way])
    assert "lawful" not in over_http(error)
    for path in named:
        pattern = re.sub(r"ID|SLUG|\{\}", "X", path)
        assert any(re.sub(r"\{\w+\}", "X", one) == pattern for one in routes), path


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "/v1/artists/nobody",
            "no artist 'nobody': the catalogue is empty; begin with POST /v1/ingest-jobs",
        ),
        ("/v1/artworks/{id}", "no artwork {id}; GET /v1/artworks shows ids"),
        ("/v1/ingest-jobs/{id}", "no ingest job {id}; GET /v1/ingest-jobs lists them"),
    ],
)
def test_a_problem_names_routes(client: TestClient, path: str, said: str) -> None:
    """And no command: who asks over HTTP may have no terminal."""
    nothing = "00000000-0000-0000-0000-000000000000"
    problem = is_problem(client.get(path.format(id=nothing)), 404, "not-found")

    assert problem["detail"] == said.format(id=nothing)
