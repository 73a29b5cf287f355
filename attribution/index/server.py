"""A Qdrant server as an `Engine`, with its failures in our words.

Nothing is tried again here: writes may be repeated, and whoever asked knows how long to wait.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from ipaddress import ip_address
from urllib.parse import urlsplit

from grpc import RpcError, StatusCode
from pydantic import ValidationError
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
from qdrant_client.http.models import QueryResponse

from attribution.errors import BackendUnavailable, BadInput, KeyRefused, LawfulError
from attribution.index import ServerOptions
from attribution.index.breaker import Breaker
from attribution.tracing import span

log = logging.getLogger(__name__)

SAID = 300  # characters of an answer that is not JSON
OLDEST = (1, 19)  # whose collections can be made as ours are
STATUS = {  # of failures over gRPC that a retry does not mend
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.UNIMPLEMENTED: 400,
}
MAJORITY = models.ReadConsistencyType.MAJORITY


def connect(url: str, options: ServerOptions) -> ServerClient:
    """Return a client of the server at `url`; nothing is asked of it yet.

    A key over plain HTTP to another machine is sent, with a warning: a private network between
    containers usually has no certificates, and refusing would lead to servers without a key.
    """
    try:
        if options.api_key and urlsplit(url).scheme == "http" and not _is_loopback(url):
            _warn_of_a_key_in_clear(url)
        opened = partial(
            QdrantClient,
            url=url,
            headers={"api-key": options.api_key} if options.api_key else None,
            timeout=options.timeout_s,
            check_compatibility=False,  # it would ask in a thread and print what nobody can use
        )
        client, port = opened(), options.grpc_port
        writer = opened(prefer_grpc=True, grpc_port=port) if port else client
    except ValueError as error:
        raise BadInput(f"LAWFUL_QDRANT_URL={url} is not an address: {error}") from error
    return ServerClient(client, writer=writer, url=url, options=options)


class ServerClient:
    """A server or cluster. A write returns when it can be read.

    What is deleted is deleted on each replica in one order with what is written, and what upkeep
    reads is what most replicas say: an answer about what is gone rests on no straggler.
    """

    def __init__(
        self, client: QdrantClient, *, writer: QdrantClient, url: str, options: ServerOptions
    ) -> None:
        self._client = client
        self._writer = writer  # of points: the same, or one over gRPC
        self._url = url
        self._options = options
        self._breaker = Breaker(f"the Qdrant server at {url}", _is_away)

    def check_version(self) -> None:
        """Raise LawfulError for a server that is too old to keep our collections."""
        with self._in_our_words():
            try:
                said = self._client.info().version
            except UnexpectedResponse as error:
                if error.status_code == 404:
                    raise self._foreign() from error
                raise
        found = re.match(r"(\d+)\.(\d+)", said)
        if found is None or (int(found[1]), int(found[2])) < OLDEST:
            raise LawfulError(
                f"the Qdrant server at {self._url} is version {said}; this program needs "
                f"{OLDEST[0]}.{OLDEST[1]} or newer: upgrade it, one minor version at a time"
            )

    def collection_exists(self, collection_name: str) -> bool:
        """Whether there is a collection that has this name or alias."""
        with self._in_our_words():
            return self._client.collection_exists(collection_name)

    def create_collection(
        self,
        collection_name: str,
        *,
        vectors_config: Mapping[str, models.VectorParams],
        sparse_vectors_config: Mapping[str, models.SparseVectorParams],
    ) -> None:
        """Make a collection, with the shards and replicas of the options.

        It is no error when another process makes the same one at the same time.
        """
        try:
            with self._in_our_words():
                self._client.create_collection(
                    collection_name,
                    vectors_config=vectors_config,
                    sparse_vectors_config=sparse_vectors_config,
                    shard_number=self._options.shards,
                    replication_factor=self._options.replicas,
                )
        except LawfulError:
            if not self.collection_exists(collection_name):
                raise

    def delete_collection(self, collection_name: str) -> None:
        """Delete a collection and its aliases."""
        with self._in_our_words():
            self._client.delete_collection(collection_name)

    def get_aliases(self) -> models.CollectionsAliasesResponse:
        """Return every alias with its collection."""
        with self._in_our_words():
            return self._client.get_aliases()

    def update_collection_aliases(
        self,
        change_aliases_operations: Sequence[
            models.DeleteAliasOperation | models.CreateAliasOperation
        ],
    ) -> None:
        """Delete and create aliases in one step."""
        with self._in_our_words():
            self._client.update_collection_aliases(change_aliases_operations)

    def create_payload_index(
        self, collection_name: str, field_name: str, field_schema: models.PayloadSchemaParams
    ) -> None:
        """Index a payload field."""
        with self._in_our_words():
            self._client.create_payload_index(
                collection_name,
                field_name,
                field_schema,
                wait=True,
                timeout=self._options.timeout_s,
            )

    def indexed_fields(self, collection_name: str) -> Collection[str]:
        """Return the payload fields that have an index."""
        with self._in_our_words():
            return self._client.get_collection(collection_name).payload_schema.keys()

    def upsert(self, collection_name: str, points: Sequence[models.PointStruct]) -> None:
        """Write points."""
        with self._in_our_words():
            self._writer.upsert(collection_name, points, wait=True, timeout=self._options.timeout_s)

    def delete(
        self, collection_name: str, points_selector: models.PointIdsList | models.FilterSelector
    ) -> None:
        """Delete points by id or by filter."""
        with self._in_our_words():
            self._client.delete(
                collection_name,
                points_selector,
                wait=True,
                ordering=models.WriteOrdering.STRONG,
                timeout=self._options.timeout_s,
            )

    def query_batch_points(
        self, collection_name: str, requests: Sequence[models.QueryRequest]
    ) -> list[QueryResponse]:
        """Run several queries as one batch, one answer each."""
        with self._in_our_words():
            return self._client.query_batch_points(
                collection_name, requests, timeout=self._options.timeout_s
            )

    def retrieve(
        self, collection_name: str, ids: Sequence[str], *, with_vectors: bool = False
    ) -> list[models.Record]:
        """Return the points of these ids that exist, in any order."""
        with self._in_our_words():
            return self._client.retrieve(
                collection_name,
                ids,
                with_vectors=with_vectors,
                consistency=MAJORITY,
                timeout=self._options.timeout_s,
            )

    def set_payload(
        self, collection_name: str, payload: Mapping[str, str], points: Sequence[str]
    ) -> None:
        """Write fields of the payload of some points beside what they have."""
        with self._in_our_words():
            self._client.set_payload(
                collection_name,
                dict(payload),
                list(points),
                wait=True,
                timeout=self._options.timeout_s,
            )

    def scroll(
        self,
        collection_name: str,
        *,
        limit: int,
        offset: str | None = None,
        scroll_filter: models.Filter | None = None,
    ) -> tuple[list[models.Record], str | None]:
        """Return points in the order of their ids from `offset` on, and where to go on."""
        with self._in_our_words():
            rows, following = self._client.scroll(
                collection_name,
                limit=limit,
                offset=offset,
                scroll_filter=scroll_filter,
                consistency=MAJORITY,
                timeout=self._options.timeout_s,
            )
        return rows, str(following) if following else None

    def count(
        self, collection_name: str, count_filter: models.Filter | None = None
    ) -> models.CountResult:
        """Count points by what the segments say of themselves.

        For an exact count a server collects every id, and `search_allow_exact=false` refuses it.
        """
        with self._in_our_words():
            return self._client.count(
                collection_name, count_filter, exact=False, timeout=self._options.timeout_s
            )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._writer.close()

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        """Translate what the client raises; what is worth a retry becomes BackendUnavailable."""
        try:
            with span("index"), self._breaker.watching():
                yield
        except ResourceExhaustedResponse as error:
            raise self._busy(f"429 {error}") from error
        except RpcError as error:
            raise self._answered(*_as_http(error)) from error
        except UnexpectedResponse as error:
            raise self._answered(error.status_code or 0, _said(error.content)) from error
        except ResponseHandlingException as error:
            if isinstance(error.source, ValidationError):
                raise self._foreign() from error
            cause = f"{type(error.source).__name__}: {error.source}"
            raise BackendUnavailable(
                f"the Qdrant server at {self._url} does not answer ({cause}); start it, or set "
                f"LAWFUL_QDRANT_URL to another server or to a folder"
            ) from error
        except (json.JSONDecodeError, AssertionError) as error:  # no JSON, or one without result
            raise self._foreign() from error

    def _answered(self, status: int, said: str) -> LawfulError:
        if status in (401, 403):
            return KeyRefused(
                f"the Qdrant server at {self._url} refuses the key ({status} {said}); set "
                f"LAWFUL_QDRANT_API_KEY to one that may read and write"
            )
        if status == 404:
            return BackendUnavailable(
                f"the Qdrant server at {self._url} has no such collection now ({said}); try again "
                f"if `lawful reindex` runs, or restart with the LAWFUL_PROFILE that it was given"
            )
        if status in (408, 429) or status >= 500:
            return self._busy(f"{status} {said}")
        return LawfulError(f"the Qdrant server at {self._url} refuses ({status} {said})")

    def _busy(self, said: str) -> BackendUnavailable:
        return BackendUnavailable(f"the Qdrant server at {self._url} cannot do it now ({said})")

    def _foreign(self) -> LawfulError:
        return LawfulError(
            f"what answers at {self._url} is not a Qdrant server, or one whose index is damaged; "
            f"check LAWFUL_QDRANT_URL, or run `lawful reindex`"
        )


def _is_away(error: Exception) -> bool:
    """Tell a server that is silent or fails from one that answers, be it with a refusal."""
    if isinstance(error, RpcError):
        return _as_http(error)[0] >= 500
    if isinstance(error, ResponseHandlingException):
        return not isinstance(error.source, ValidationError)
    return isinstance(error, UnexpectedResponse) and (error.status_code or 0) >= 500


def _as_http(error: RpcError) -> tuple[int, str]:
    """Return the status that stands for a failure over gRPC, and what the server said."""
    code = error.code()
    return STATUS.get(code, 503), f"gRPC {code.name}: {error.details()}"


@cache  # once in each process: a worker opens the index for every task
def _warn_of_a_key_in_clear(url: str) -> None:
    log.warning(
        "LAWFUL_QDRANT_API_KEY goes to %s in clear: anyone on the way can read it. "
        "Use https://, or a network that is yours alone",
        url,
    )


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _said(content: bytes) -> str:
    """Return the server's own message, or what stands there instead."""
    try:
        return str(json.loads(content)["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return content[:SAID].decode(errors="replace")
