"""Lists as tables: CSV, JSON Lines or Parquet in the place of a page of JSON, by `Accept`.

The page is the same: filters, cursor and limit count, and `Link: <…>; rel="next"` leads on. Members
of members become columns with a dot (`artist.slug`), lists are JSON in a cell.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from starlette.datastructures import Headers, MutableHeaders

from ingest.exports.formats import BOM, lines

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON = "application/json"
CSV = "text/csv"
JSON_LINES = ("application/jsonl", "application/x-ndjson", "application/x-jsonlines")
PARQUET = "application/vnd.apache.parquet"
OFFERED = (JSON, CSV, *JSON_LINES, PARQUET)
QUALITY = re.compile(r"[01](\.\d{0,3})?", re.ASCII)  # RFC 9110, 12.4.2
ROWS = re.compile(rb'\{"(items|hits)":')  # how a page begins, of a list or of a search
LARGEST = 64 << 20  # bytes of a page; a longer answer is none


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
        if QUALITY.fullmatch(quality):
            liked[name] = float(quality)
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
        rows = ROWS.match(body)
        if rows is None or len(body) > LARGEST:
            return body
        name = rows[1].decode()
        page = json.loads(body)
        headers["vary"] = "accept"
        if page.get("next"):
            headers["link"] = f'<{_next(self._scope, page["next"])}>; rel="next"'
        if self._wanted == JSON:
            return body
        columns = columns_of(self._scope["route"].response_model.model_fields[name])
        formed = write(page[name], self._wanted, columns)
        headers["content-type"] = f"{CSV}; charset=utf-8" if self._wanted == CSV else self._wanted
        headers["content-length"] = str(len(formed))
        return formed


def write(items: Sequence[Mapping[str, Any]], kind: str, columns: Mapping[str, type]) -> bytes:
    """Write entries of a list as CSV, JSON Lines or Parquet; `columns` as `columns_of` has them."""
    if kind in JSON_LINES:
        return "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in items).encode()
    rows = [[_cell(one, name) for name in columns] for one in items]
    return lines([columns, *rows], BOM) if kind == CSV else _parquet(rows, columns)


def columns_of(items: FieldInfo) -> dict[str, type]:
    """Return the columns of a list and their kinds: the same for every page, an empty one too.

    Members of members are columns with a dot; what is no number and not yes or no is a text, in
    JSON where it has parts.
    """
    entry = get_args(items.annotation)[0]
    return dict(_columns(entry, ""))


def _columns(model: type[BaseModel], before: str) -> Iterator[tuple[str, type]]:
    for name, field in model.model_fields.items():
        is_list = get_origin(field.annotation) is list
        kinds = {one for one in get_args(field.annotation) if one is not NoneType}
        kind: Any = kinds.pop() if len(kinds) == 1 else field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and not is_list:
            yield from _columns(kind, f"{before}{name}.")
        else:
            yield f"{before}{name}", kind if kind in {bool, int, float} and not is_list else str


def _cell(entry: Mapping[str, Any], column: str) -> Any:
    value: Any = entry
    for name in column.split("."):
        value = None if value is None else value[name]
    return value


def _parquet(rows: Sequence[Sequence[Any]], columns: Mapping[str, type]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    numbers = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, numbers.get(kind, pa.string())) for name, kind in columns.items()])
    cells = [[json.dumps(v) if isinstance(v, list | dict) else v for v in row] for row in rows]
    named = [dict(zip(columns, row, strict=True)) for row in cells]
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(named, schema), out)
    return out.getvalue()


def _next(scope: Scope, cursor: str) -> str:
    asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    others = [(name, value) for name, value in asked if name != "cursor"]
    return f"{scope['path']}?{urlencode([*others, ('cursor', cursor)])}"
