"""The owner process: one process has the Edge folder, others ask it as they would ask a server.

What lives here are the endpoints of Qdrant's REST API that `VectorIndex` uses, without a framework
(`api.servers.index_server` serves them). It is as strict as a server in strict mode: filters need a
payload index, nothing is counted exactly, bodies stay under 32 MiB, and a write has to be waited
for. It is not a server: one machine, one request at a time, no replicas.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import BaseModel, TypeAdapter
from qdrant_client import models

from attribution.errors import BackendUnavailable, Conflict, IndexDamaged, LawfulError
from attribution.index.edge import EdgeClient
from attribution.index.soundness import damaged

ROOT = "/"
SPOKEN = "1.19.0"  # the version of Qdrant's API
BODY_LIMIT = 32 * 2**20
PATH = re.compile(r"/collections/(?P<name>[\w-][\w.-]*)(?:/(?P<rest>.+))?")  # a name is a folder's
DONE = {"operation_id": 0, "status": "completed"}
VECTORS = TypeAdapter(dict[str, models.VectorParams])
CHANGES = TypeAdapter(list[models.DeleteAliasOperation | models.CreateAliasOperation])
PARAMS = TypeAdapter[models.PayloadSchemaParams](models.PayloadSchemaParams)
SELECTOR = TypeAdapter[Any](models.PointsSelector)


class Refused(Exception):
    """The answer is this status and message."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Owner:
    """One folder, one engine, one request at a time, from any thread."""

    def __init__(self, folder: Path, *, api_key: str | None) -> None:
        self._edge = EdgeClient(folder)
        self._key = api_key
        self._lock = Lock()
        for name in self._edge.collections():
            self._edge.count(name)  # opens it: another process that has the folder is told now

    def answer(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[int, dict[str, Any]]:
        """Answer one request with a status and an object for JSON. Header names are lower case."""
        try:
            self._admit(headers, body)
            with self._lock:
                result = self._carry_out(method, path, query, body)
        except Refused as refused:
            return _error(refused.status, refused)
        except ValueError as error:  # a body that is no JSON, or not of this endpoint
            return _error(HTTPStatus.BAD_REQUEST, f"Format error in JSON body: {error}")
        except Conflict as error:
            return _error(HTTPStatus.CONFLICT, error)
        except (BackendUnavailable, IndexDamaged) as error:
            return _error(HTTPStatus.INTERNAL_SERVER_ERROR, error)
        except LawfulError as error:
            return _error(HTTPStatus.BAD_REQUEST, error)
        wrapped = {"result": result, "status": "ok", "time": 0.0}
        return HTTPStatus.OK, result if path == ROOT else wrapped

    def close(self) -> None:
        """Wait for the request under way, write everything to disk, give the folder free."""
        with self._lock:
            self._edge.flush()
            self._edge.close()

    def _admit(self, headers: Mapping[str, str], body: bytes) -> None:
        """Refuse strangers: a wrong key, and web pages, whose browser names their origin."""
        given = headers.get("api-key", "")
        if self._key is not None and not hmac.compare_digest(given.encode(), self._key.encode()):
            raise Refused(HTTPStatus.UNAUTHORIZED, "Invalid API key")
        if "origin" in headers:
            raise Refused(HTTPStatus.FORBIDDEN, "web pages may not ask")
        if len(body) > BODY_LIMIT:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"payload ({len(body)} bytes) is larger than allowed (limit: {BODY_LIMIT} bytes)",
            )

    def _carry_out(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Any:
        content = json.loads(body or b"null")
        if of_all := ALL.get(f"{method} {path}"):
            return of_all(self._edge, content)
        found = PATH.fullmatch(path)
        endpoint = f"{method} {found['rest'] or ''}".strip() if found else ""
        if found is None or endpoint not in ONE:
            raise Refused(HTTPStatus.NOT_FOUND, f"no such endpoint: {method} {path}")
        if endpoint in WRITES and query.get("wait") != "true":
            raise Refused(HTTPStatus.BAD_REQUEST, "a write has to be waited for: wait=true")
        if endpoint not in WITHOUT and not self._edge.collection_exists(found["name"]):
            raise _missing(found["name"])
        return ONE[endpoint](self._edge, found["name"], content)


def _version(_: EdgeClient, __: Any) -> Any:
    return {"title": "qdrant - vector search engine", "version": SPOKEN}


def _aliases(edge: EdgeClient, _: Any) -> Any:
    return _plain(edge.get_aliases())


def _change_aliases(edge: EdgeClient, body: Any) -> bool:
    changes = CHANGES.validate_python(models.ChangeAliasesOperation.model_validate(body).actions)
    for change in changes:
        if isinstance(change, models.CreateAliasOperation):
            target = change.create_alias.collection_name
            if target not in edge.collections():
                raise _missing(target)
    edge.update_collection_aliases(changes)
    return True


def _exists(edge: EdgeClient, name: str, _: Any) -> Any:
    return {"exists": edge.collection_exists(name)}


def _info(edge: EdgeClient, name: str, _: Any) -> Any:
    """Return which fields are indexed, in a form that the client takes for a server's."""
    return {
        "status": "green",
        "optimizer_status": "ok",
        "segments_count": 1,
        "config": NOT_TOLD,
        "payload_schema": {
            field: {"data_type": "keyword", "points": 0} for field in edge.indexed_fields(name)
        },
    }


def _create(edge: EdgeClient, name: str, body: Any) -> bool:
    asked = models.CreateCollection.model_validate(body)
    if edge.collection_exists(name):
        raise Refused(HTTPStatus.CONFLICT, f"Wrong input: Collection `{name}` already exists!")
    if (asked.shard_number or 1, asked.replication_factor or 1) != (1, 1):
        raise Refused(HTTPStatus.BAD_REQUEST, "one process has one shard and no replicas")
    edge.create_collection(
        name,
        vectors_config=VECTORS.validate_python(asked.vectors),
        sparse_vectors_config=asked.sparse_vectors or {},
    )
    return True


def _drop(edge: EdgeClient, name: str, _: Any) -> bool:
    edge.delete_collection(name)
    return True


def _create_payload_index(edge: EdgeClient, name: str, body: Any) -> Any:
    asked = models.CreateFieldIndex.model_validate(body)
    edge.create_payload_index(name, asked.field_name, PARAMS.validate_python(asked.field_schema))
    return DONE


def _upsert(edge: EdgeClient, name: str, body: Any) -> Any:
    edge.upsert(name, models.PointsList.model_validate(body).points)
    return DONE


def _delete(edge: EdgeClient, name: str, body: Any) -> Any:
    selector = SELECTOR.validate_python(body)
    if isinstance(selector, models.FilterSelector):
        _check_filter(edge, name, selector.filter)
    edge.delete(name, selector)
    return DONE


def _set_payload(edge: EdgeClient, name: str, body: Any) -> Any:
    asked = models.SetPayload.model_validate(body)
    if asked.points is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "points are named by their ids here")
    edge.set_payload(name, asked.payload, [str(point) for point in asked.points])
    return DONE


def _retrieve(edge: EdgeClient, name: str, body: Any) -> Any:
    wanted = models.PointRequest.model_validate(body)
    ids = [str(point) for point in wanted.ids]
    return [_plain(one) for one in edge.retrieve(name, ids, with_vectors=bool(wanted.with_vector))]


def _count(edge: EdgeClient, name: str, body: Any) -> Any:
    asked = models.CountRequest.model_validate(body)
    _check_filter(edge, name, asked.filter)
    if asked.exact is not False:  # which is the default
        raise Refused(HTTPStatus.BAD_REQUEST, "Exact search is disabled!")
    return _plain(edge.count(name, asked.filter))


def _scroll(edge: EdgeClient, name: str, body: Any) -> Any:
    page = models.ScrollRequest.model_validate(body)
    _check_filter(edge, name, page.filter)
    offset = str(page.offset) if page.offset else None
    records, following = edge.scroll(
        name, limit=page.limit or 10, offset=offset, scroll_filter=page.filter
    )
    return {"points": [_plain(one) for one in records], "next_page_offset": following}


def _query(edge: EdgeClient, name: str, body: Any) -> Any:
    searches = models.QueryRequestBatch.model_validate(body).searches
    for search in searches:
        _check_filter(edge, name, search.filter)
        if isinstance(search.query, models.NearestQuery):  # the client wraps what it is given
            search.query = search.query.nearest
    return [_plain(answer) for answer in edge.query_batch_points(name, searches)]


def _check_filter(edge: EdgeClient, name: str, chosen: models.Filter | None) -> None:
    """Refuse a filter on a field without payload index, as strict mode does."""
    indexed = edge.indexed_fields(name)
    for part in (chosen.must, chosen.must_not) if chosen else ():
        for condition in part if isinstance(part, list) else []:
            key = getattr(condition, "key", None)
            if key is not None and key not in indexed:
                raise Refused(HTTPStatus.BAD_REQUEST, f'Index required but not found for "{key}"')


def _missing(name: str) -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, f"Not found: Collection `{name}` doesn't exist!")


def _plain(model: BaseModel) -> Any:
    return model.model_dump(mode="json")


def unsound() -> tuple[int, dict[str, Any]]:
    """Return the answer in the place of one that JSON has no words for."""
    return _error(HTTPStatus.INTERNAL_SERVER_ERROR, damaged("it holds what is no number"))


def _error(status: HTTPStatus, message: object) -> tuple[int, dict[str, Any]]:
    return status, {"status": {"error": str(message)}, "time": 0.0}


ALL: dict[str, Callable[[EdgeClient, Any], Any]] = {
    f"GET {ROOT}": _version,
    "GET /aliases": _aliases,
    "POST /collections/aliases": _change_aliases,
}
ONE: dict[str, Callable[[EdgeClient, str, Any], Any]] = {
    "GET exists": _exists,
    "GET": _info,
    "PUT": _create,
    "DELETE": _drop,
    "PUT index": _create_payload_index,
    "PUT points": _upsert,
    "POST points/delete": _delete,
    "POST points/payload": _set_payload,
    "POST points": _retrieve,
    "POST points/count": _count,
    "POST points/scroll": _scroll,
    "POST points/query/batch": _query,
}
NOT_TOLD = {  # what a server would say of how it keeps a collection
    "params": {},
    "hnsw_config": {"m": 0, "ef_construct": 0, "full_scan_threshold": 0},
    "optimizer_config": {
        "deleted_threshold": 0,
        "vacuum_min_vector_number": 0,
        "default_segment_number": 0,
        "flush_interval_sec": 0,
    },
}
WITHOUT = ("GET exists", "PUT")  # may be asked of a collection that is not there
WRITES = ("PUT index", "PUT points", "POST points/delete", "POST points/payload")
