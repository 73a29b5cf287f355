"""Uploads on their way in lie below LAWFUL_HOME, leave nothing behind, and a full disk is said."""

from __future__ import annotations

import errno
import gzip
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http.app import create_app
from attribution.errors import InsufficientStorage
from attribution.files import Store
from attribution.temporary import TEMPORARY, temporary_folder
from tests.apis import LOCAL, archive, is_problem, png, settings, upload

FULL = "/dev/full"  # where the system itself says that there is no room
BEGIN_AND_DIE = """
import os, sys
from pathlib import Path
from attribution.temporary import temporary_folder
with temporary_folder(Path(sys.argv[1])) as folder:
    (folder / "begun").write_bytes(b"x")
    os.kill(os.getpid(), 9)
"""


def below(folder: Path) -> list[Path]:
    """Return the files and folders below a folder."""
    return sorted(folder.rglob("*"))


def test_uploads_lie_below_home(tmp_path: Path) -> None:
    """As long as the application runs; afterwards nothing is left, and all is as before."""
    before, home = tempfile.gettempdir(), tmp_path / "home"
    with TestClient(create_app(settings(home)), base_url=LOCAL) as client:
        assert Path(tempfile.gettempdir()).parent == home / TEMPORARY
        job = upload(client, archive({"Ann/1.png": png(1), "Ann/large.txt": os.urandom(2**21)}))
        assert job["outcomes"]["added"] == 1
        assert below(Path(tempfile.gettempdir())) == []

    assert tempfile.gettempdir() == before
    assert below(home / TEMPORARY) == []


def test_what_a_killed_process_left_is_deleted(tmp_path: Path) -> None:
    """By the next one that needs a folder; that of a process that lives is let alone."""
    command = [sys.executable, "-c", BEGIN_AND_DIE, str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == -9
    assert [path.name for path in below(tmp_path / TEMPORARY)].count("begun") == 1

    with temporary_folder(tmp_path) as first, temporary_folder(tmp_path) as second:
        assert {path for path in below(tmp_path / TEMPORARY) if path.is_dir()} == {first, second}
    assert below(tmp_path / TEMPORARY) == []


@pytest.mark.skipif(not Path(FULL).exists(), reason="a device that is always full, as Linux has it")
def test_a_form_that_cannot_be_put_down(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is 507, with the folder that is full and what to do; nothing is left."""
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open(FULL, "w+b", buffering=0))  # noqa: PTH123, SIM115  as tempfile does

    large = {"file": ("a.png", os.urandom(1_500_000))}
    response = client.post("/v1/ingest-jobs", files=large, data={"artist": "Ann"})

    problem = is_problem(response, 507, "insufficient-storage")
    assert problem["detail"] == (
        f"the disk is full (LAWFUL_HOME={tmp_path / 'home'}); make room on it"
    )
    assert client.get("/v1/ingest-jobs").json()["items"] == []


def test_an_upload_that_cannot_be_stored(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is 507 too; its job has failed, and of the file nothing is left."""

    def full(_: object, path: str, source: Any) -> None:
        Path(path).parent.mkdir(parents=True)
        Path(path).write_bytes(source.read(10))
        raise InsufficientStorage("the disk is full (here); make room on it")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_put_stream", full)
        response = client.post(
            "/v1/ingest-jobs", files={"file": ("a.png", png(1))}, data={"artist": "Ann"}
        )

    assert "make room" in is_problem(response, 507, "insufficient-storage")["detail"]
    (job,) = client.get("/v1/ingest-jobs").json()["items"]
    assert job["status"] == "failed"
    assert below(tmp_path / "home" / "incoming") == []


@pytest.mark.parametrize("cause", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_within(tmp_path: Path, cause: int) -> None:
    """Whatever writes into a temporary folder, the error names LAWFUL_HOME."""
    with (
        pytest.raises(InsufficientStorage, match=f"LAWFUL_HOME={tmp_path}"),
        temporary_folder(tmp_path),
    ):
        raise OSError(cause, "no room")


def test_a_listing_that_fails_leaves_nothing(client: TestClient, tmp_path: Path) -> None:
    """No upload, no unpacked file, no line of the job; what is wrong is the job's error."""
    usable, header = tarfile.TarInfo("Ann/1.png"), tarfile.TarInfo("header")
    usable.size, header.type = len(png(1)), tarfile.XGLTYPE
    content = png(1) + bytes(-len(png(1)) % tarfile.BLOCKSIZE)
    data = gzip.compress(usable.tobuf() + content + header.tobuf() * 20)

    job = upload(client, data, "ann.tar.gz")
    client.app.state.jobs.wait()  # type: ignore[attr-defined]  # an application of ours

    assert job["status"] == "failed"
    assert "more than 8 headers in front of one member" in job["error"]
    assert client.get(f"/v1/ingest-jobs/{job['id']}/items").json()["items"] == []
    assert client.get("/v1/artworks").json()["items"] == []
    assert below(tmp_path / "home" / "incoming") == []
    folders = [path for path in below(tmp_path / "home" / TEMPORARY) if path.is_dir()]
    assert folders == [Path(tempfile.gettempdir())]  # of the application itself
    assert below(folders[0]) == []
