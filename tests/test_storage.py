"""The file store: the same manners in a folder and in a bucket."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from attribution.errors import BackendUnavailable, BadInput, NotFound
from attribution.files import Store
from tests.buckets import running_s3

A, B = "aa" * 32, "bb" * 32
JOB = UUID(int=7)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Run an S3 for this file; give the URL of a bucket."""
    with running_s3() as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Give an empty store of each kind."""
    if request.param == "folder":
        return Store(str(tmp_path))
    return Store(f"{request.getfixturevalue('s3')}/{uuid4()}")


def test_what_is_kept_comes_back(store: Store) -> None:
    """Originals and thumbnails by the hash of the work; the same hash again replaces."""
    store.put_original(A, b"old")
    store.put_original(A, b"original")
    store.put_thumbnail(A, b"small")

    assert (store.original(A), store.thumbnail(A)) == (b"original", b"small")
    assert (store.has_original(A), store.has_thumbnail(A)) == (True, True)
    assert (store.has_original(B), store.has_thumbnail(B)) == (False, False)


def test_what_is_not_there_is_said(store: Store) -> None:
    """The error names the hash and what to do."""
    for read in (store.original, store.thumbnail):
        with pytest.raises(NotFound, match=r"bbbbbbbbbbbb….*ingest it again"):
            read(B)
    with pytest.raises(NotFound, match="send it again"):
        store.incoming(JOB, B)


def test_what_is_forgotten_is_gone(store: Store) -> None:
    """Both kinds, counted; again there is nothing to count."""
    store.put_original(A, b"1")
    store.put_thumbnail(A, b"2")
    store.put_thumbnail(B, b"3")

    assert store.forget(A) == (1, 1)
    assert store.forget(A) == (0, 0)
    assert (store.has_original(A), store.has_thumbnail(A)) == (False, False)
    assert store.thumbnail(B) == b"3"


def test_what_waits_for_a_job_goes_with_it(store: Store, tmp_path: Path) -> None:
    """Of one job and no other, of any size."""
    large = os.urandom(3 << 20)
    other = uuid4()
    store.put_incoming(JOB, A, io.BytesIO(b"work"))
    store.put_incoming(JOB, "upload", io.BytesIO(large))
    store.put_incoming(other, A, io.BytesIO(b"another"))
    assert set(store.jobs_with_incoming()) == {JOB, other}
    store.fetch_incoming(JOB, "upload", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == large
    assert store.incoming(JOB, A) == b"work"

    store.clear_incoming(JOB)
    store.clear_incoming(JOB)

    with pytest.raises(NotFound):
        store.incoming(JOB, A)
    assert store.incoming(other, A) == b"another"
    assert store.jobs_with_incoming() == [other]


def test_it_can_be_asked_whether_it_works(store: Store) -> None:
    """A store that can be written to passes the check."""
    store.check()


def test_a_file_appears_whole(tmp_path: Path) -> None:
    """What breaks while it is written leaves the old file and no piece of the new one."""
    store = Store(str(tmp_path))
    store.put_incoming(JOB, A, io.BytesIO(b"old"))

    class Broken(io.RawIOBase):
        def read(self, _size: int = -1, /) -> bytes:
            raise RuntimeError("the sender hung up")

    with pytest.raises(RuntimeError):
        store.put_incoming(JOB, A, Broken())  # type: ignore[arg-type]

    assert store.incoming(JOB, A) == b"old"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [A]


def test_a_store_that_fails_says_where(tmp_path: Path) -> None:
    """A path that cannot be written is an outage, with the setting to look at."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(BackendUnavailable, match="LAWFUL_STORAGE_URL"):
        Store(str(tmp_path / "file")).check()


def test_an_unknown_kind_of_store_is_refused() -> None:
    """The message has the ways out."""
    with pytest.raises(BadInput, match=r"give a folder, or s3://"):
        Store("floppy://a")
