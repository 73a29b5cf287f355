"""What `/openapi.json` says beyond what the routes themselves say: errors, tags, examples.

Every error that an operation can answer is listed with it. Most follow from what the operation is
(it has a body, a path with an id, it changes something); a route names others in its `responses`.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.http.kinds import KINDS, title
from api.http.problems import MEDIA_TYPE, Problem
from api.http.tables import JSON, OFFERED

Node = dict[str, Any]

TAGS = [
    {"name": name, "description": description}
    for name, description in {
        "artists": "Who is in the catalogue, under which names.",
        "artworks": "What is known of a work, what it may be used for, and its picture.",
        "ingest jobs": "Works come in: uploads, and what became of every file.",
        "jobs": "Where a job of any kind stands, asked for or told as it changes.",
        "withdrawals": "An artist or a work is forgotten everywhere, with a receipt.",
        "changes": "What was corrected, by whom and why; and how it is undone.",
        "consents": "What may be done with works, and who said so, when and on which paper.",
        "attributions": "Whose registered work an image resembles or shows, and the evidence.",
        "lookup batches": "Many images at once: an archive, a table of URLs, registered works.",
        "search": "Works by words, by a picture, or by both.",
        "generations": "Pictures from words, each with the artists whose work it resembles.",
        "cases": "What people look at, assess, decide, and hear appeals against.",
        "credentials": "What a file says of where it comes from, and pictures of ours without it.",
        "audit": "Who did what, and when, and who was refused what.",
        "keys": "Who may call, and what they may do.",
        "webhooks": "Who is told what happened.",
        "operation": "For those who run the service.",
    }.items()
]


EXAMPLES = files(__package__) / "examples.json"  # an answer for each schema of answers

BYTES: Node = {"type": "string", "format": "binary"}


def also(*statuses: int) -> dict[int | str, Node]:
    """Return what a route gives as `responses` for errors that its shape does not tell."""
    return {status: {} for status in statuses}


def describe(app: FastAPI) -> Node:
    """Return the description of an application, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=TAGS,
        )
        document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        for name, example in json.loads(EXAMPLES.read_text("utf-8")).items():
            document["components"]["schemas"][name]["examples"] = [example]
        _describe_forms(document)
        _describe_tables(document)
        _describe_tags(document)
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _add_errors(path, method, operation)
        app.openapi_schema = document
    return app.openapi_schema


def _describe_forms(document: Node) -> None:
    """Say of forms what generated clients need: files are bytes, and no field can be null.

    The framework describes a file by `contentMediaType` alone, which clients take for text; and a
    form has no null: a field that is not given is left out.
    """
    schemas = document["components"]["schemas"]
    for operation in (one for path in document["paths"].values() for one in path.values()):
        form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
        if form is not None:
            name = form["schema"]["$ref"].rsplit("/", 1)[1]
            for field in schemas[name]["properties"].values():
                kinds = [one for one in field.get("anyOf", ()) if one != {"type": "null"}]
                if len(kinds) == 1:
                    del field["anyOf"]
                    field.update(kinds[0])
                content = field.get("items", field)
                if "contentMediaType" in content:
                    content["format"] = "binary"


def _describe_tables(document: Node) -> None:
    """Say of lists that they come as tables too, and that a header leads to the next page."""
    for operation in (one["get"] for one in document["paths"].values() if "get" in one):
        answer = operation["responses"].get("200", {})
        shape = answer.get("content", {}).get(JSON, {}).get("schema", {}).get("$ref", "")
        if "/PageOut_" in shape or shape.endswith("/SearchOut"):
            answer["content"] |= {kind: {"schema": BYTES} for kind in OFFERED if kind != JSON}
            answer["headers"] = {
                "Link": {
                    "description": 'The next page: `<…>; rel="next"`.',
                    "schema": {"type": "string"},
                }
            }


def _describe_tags(document: Node) -> None:
    """Say of what has an `ETag` that it has, and that it is not sent to whoever has it."""
    for operation in (one for path in document["paths"].values() for one in path.values()):
        if "if-none-match" in _headers(operation):
            operation["responses"]["200"]["headers"] = {
                "ETag": {"description": "Of what is shown.", "schema": {"type": "string"}}
            }
            operation["responses"]["304"] = {"description": "It is what `If-None-Match` names"}


def _headers(operation: Node) -> set[str]:
    """Return the headers that an operation reads."""
    given = operation.get("parameters", ())
    return {one["name"] for one in given if one["in"] == "header"}


def _add_errors(path: str, method: str, operation: Node) -> None:
    responses = operation["responses"]
    for status in sorted(_statuses(path, method, operation)):
        if not responses.get(str(status), {}).get("content"):
            responses[str(status)] = _response(status)
    responses["default"] = {"description": "A problem (RFC 9457)", "content": _content()}


def _statuses(path: str, method: str, operation: Node) -> set[int]:
    """Return the errors of an operation: those that it names, and those that follow from it."""
    statuses = {int(one) for one in operation["responses"] if one.isdigit() and int(one) >= 400}
    statuses |= {421, 500}
    if path.startswith("/v1/"):
        # No unknown parameter passes, all of it needs the database, and callers have keys.
        statuses |= {401, 403, 422, 429, 503}
    if "{" in path:
        statuses.add(404)
    if method != "get":
        statuses |= {403, 408, 413}
    if "if-match" in _headers(operation):
        statuses.add(412)
    if method == "post":
        statuses.add(409)  # a request with the same Idempotency-Key may be under way
    if "multipart/form-data" in operation.get("requestBody", {}).get("content", {}):
        statuses |= {400, 507}
    return statuses


def _response(status: int) -> Node:
    kinds = {name: kind for name, kind in KINDS.items() if kind.status == status}
    examples = {
        name: {
            "summary": kind.when,
            "value": {
                "type": f"/problems/{name}",
                "title": title(name),
                "status": status,
                "detail": kind.when,
            },
        }
        for name, kind in kinds.items()
    }
    return {
        "description": "; ".join(map(title, kinds)),
        "content": _content({"examples": examples}),
    }


def _content(more: Node | None = None) -> Node:
    return {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, **(more or {})}}
