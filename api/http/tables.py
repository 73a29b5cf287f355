"""Lists as tables: CSV, JSON Lines or Parquet in the place of a page of JSON, by `Accept`.

The page is the same: filters, cursor and limit count, and `Link: <…>; rel="next"` leads on. Members
of members become columns with a dot (`artist.slug`), lists are JSON in a cell.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders

from ingest.exports.formats import BOM, lines

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON = "application/json"
CSV = "text/csv"
JSON_LINES = ("application/jsonl", "application/x-ndjson", "application/x-jsonlines")
PARQUET = "application/vnd.apache.parquet"
OFFERED = (JSON, CSV, *JSON_LINES, PARQUET)
LARGEST = 64 << 20  # bytes of a page; a longer answer is none

Cells = dict[str, Any]


class Tables:
    """ASGI middleware: gives pages of lists the form that the caller accepts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; give its answer another form where it is a page."""
        if scope["type"] != "http" or scope["method"] != "GET" or "/export" in scope["path"]:
            await self._app(scope, receive, send)
            return
        wanted = preferred(Headers(scope=scope).get("accept", ""))
        await self._app(scope, receive, _Page(scope, send, wanted).send)


def preferred(accept: str) -> str:
    """Return what of `OFFERED` an Accept header likes best; JSON where it likes none of them."""
    liked: dict[str, float] = {}
    for one in accept.split(","):
        name, *parameters = (part.strip().lower() for part in one.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            liked[name] = float(quality)
        except ValueError:
            continue
    anything = max(liked.get("*/*", 0.0), liked.get("application/*", 0.0))
    liked.setdefault(JSON, anything)
    best = max(OFFERED, key=lambda name: liked.get(name, 0.0))
    return best if liked.get(best, 0.0) > 0 else JSON


class _Page:
    """An answer on its way: held back where it may be a page, and sent in the wanted form."""

    def __init__(self, scope: Scope, send: Send, wanted: str) -> None:
        self._scope, self._send, self._wanted = scope, send, wanted
        self._start: Message | None = None
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        """Hold a JSON answer back until it is whole; pass on anything else."""
        if message["type"] == "http.response.start":
            kind = Headers(raw=message["headers"]).get("content-type", "")
            if message["status"] == 200 and kind.startswith(JSON):
                self._start = message
                return
        elif self._start is not None:
            self._body += message.get("body", b"")
            if message.get("more_body", False) and len(self._body) <= LARGEST:
                return
            start, self._start = self._start, None
            body = self._formed(start, bytes(self._body))
            await self._send(start)
            await self._send({**message, "body": body})
            return
        await self._send(message)

    def _formed(self, start: Message, body: bytes) -> bytes:
        """Return the body in its form, and set the headers that go with it."""
        headers = MutableHeaders(raw=start["headers"])
        if not (body.startswith(b'{"items":') and len(body) <= LARGEST):
            return body
        page = json.loads(body)
        headers["vary"] = "accept"
        if page.get("next"):
            headers["link"] = f'<{_next(self._scope, page["next"])}>; rel="next"'
        if self._wanted == JSON:
            return body
        formed = write(page["items"], self._wanted)
        headers["content-type"] = f"{CSV}; charset=utf-8" if self._wanted == CSV else self._wanted
        headers["content-length"] = str(len(formed))
        return formed


def write(items: Sequence[Mapping[str, Any]], kind: str) -> bytes:
    """Write entries of a list as CSV, JSON Lines or Parquet."""
    if kind in JSON_LINES:
        return "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in items).encode()
    rows = [flat(one) for one in items]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if kind == CSV:
        return lines([columns, *([row.get(name) for name in columns] for row in rows)], BOM)
    return _parquet(rows, columns)


def flat(entry: Mapping[str, Any], before: str = "") -> Cells:
    """Return an entry with a column for each member, also of its members: `artist.slug`."""
    cells: Cells = {}
    for name, value in entry.items():
        if isinstance(value, Mapping) and value:
            cells |= flat(value, f"{before}{name}.")
        else:
            cells[f"{before}{name}"] = value
    return cells


def _parquet(rows: Sequence[Cells], columns: Sequence[str]) -> bytes:
    """Write a table; a column whose values are of several kinds, or lists, is JSON in a text."""
    import pyarrow as pa
    from pyarrow import parquet

    arrays = {}
    for name in columns:
        values = [row.get(name) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        is_plain = len(kinds) <= 1 and kinds <= {str, bool, int, float}
        arrays[name] = values if is_plain else [v if v is None else json.dumps(v) for v in values]
    out = io.BytesIO()
    parquet.write_table(pa.table(arrays), out)
    return out.getvalue()


def _next(scope: Scope, cursor: str) -> str:
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    return f"{scope['path']}?{urlencode(query | {'cursor': cursor})}"
