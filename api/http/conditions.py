"""`ETag`, `If-None-Match` and `If-Match` (RFC 9110, 13.1): what is read again, what is edited.

The tag of something is a digest of how it is shown. An edit that names the tag of what was read is
done only while that is still so; it is checked again when the rows are locked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

from fastapi import Depends, Header, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.datastructures import Headers, MutableHeaders

from attribution.catalogue.conditions import only_while
from attribution.collection import Stores
from attribution.errors import BadInput, PreconditionFailed

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Shown = TypeVar("Shown", bound=BaseModel)

TAG = re.compile(r'(W/)?("[^"]*")')
IfNoneMatch = Annotated[
    str | None,
    Header(max_length=2000, description="`ETag` of what you have: 304 if it is current."),
]
IfMatch = Annotated[
    str | None,
    Header(
        max_length=2000,
        description="`ETag` of what you have read: 412, and nothing is done, if it has changed.",
    ),
]


def is_named(tag: str, header: str, *, weakly: bool) -> bool:
    """Tell whether a header names a tag; weak ones count only for what is read."""
    found = TAG.findall(header)
    return header.strip() == "*" or tag in {one for weak, one in found if weakly or not weak}


class Reading:
    """Marks what is read."""

    def __init__(self, response: Response, if_none_match: IfNoneMatch = None) -> None:
        del if_none_match  # for the description: `Unchanged` reads it
        self._response = response

    def tagged(self, shown: Shown) -> Shown:
        """Give the answer the tag of what it shows."""
        return _tagged(self._response, shown)


class Editing:
    """Does edits on the condition of the request, if it has one."""

    def __init__(self, response: Response, if_match: IfMatch = None) -> None:
        self._response, self._if_match = response, if_match

    def tagged(self, shown: Shown) -> Shown:
        """Give the answer the tag of what it shows, for the next edit."""
        return _tagged(self._response, shown)

    @contextmanager
    def of(
        self,
        stores: Stores,
        read: Callable[[Session], tuple[UUID, BaseModel]],
        aside: Collection[str] = (),
    ) -> Iterator[None]:
        """Have an edit done only while what `read` shows is what the request names.

        `read` also returns the id of the row that the edit locks. Fields in `aside` follow from
        others' rows, and may become other ones between reading and locking.
        """
        if self._if_match is None or self._if_match.strip() == "*":
            yield
            return
        if TAG.search(self._if_match) is None:
            raise BadInput(
                f"If-Match: {self._if_match[:100]} is no ETag: send it as it was answered, with "
                f"its quotes"
            )
        with stores.sessions() as session:
            about, shown = read(session)
        broken = PreconditionFailed(
            f"If-Match names {self._if_match[:100]}, which is not the ETag any more: it was "
            f"changed since it was read, and nothing was done; GET it again, and send the edit "
            f"with the new ETag"
        )
        if not is_named(_tag(shown), self._if_match, weakly=False):
            raise broken
        before = _said(shown, aside)
        with only_while(about, lambda session: _said(read(session)[1], aside) == before, broken):
            yield


ReadingDep = Annotated[Reading, Depends()]
EditingDep = Annotated[Editing, Depends()]


class Unchanged:
    """ASGI middleware: answers 304 to whoever has what would be sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; keep the body of its answer back where its tag is known."""
        known = Headers(scope=scope).get("if-none-match") if scope["type"] == "http" else None
        if known is None or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        is_unchanged = False

        async def sending(message: Message) -> None:
            nonlocal is_unchanged
            if message["type"] == "http.response.start" and message["status"] == 200:
                headers = MutableHeaders(scope=message)
                tag = headers.get("etag")
                is_unchanged = tag is not None and is_named(tag, known, weakly=True)
                if is_unchanged:
                    message["status"] = 304
                    del headers["content-length"], headers["content-type"]
            elif message["type"] == "http.response.body" and is_unchanged:
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, sending)


def _tagged(response: Response, shown: Shown) -> Shown:
    response.headers["etag"] = _tag(shown)
    return shown


def _tag(shown: BaseModel) -> str:
    return f'"{sha256(shown.model_dump_json().encode()).hexdigest()[:32]}"'


def _said(shown: BaseModel, aside: Collection[str]) -> str:
    return shown.model_dump_json(exclude=set(aside))
