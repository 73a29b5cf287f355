"""Archives from strangers: what is kept, what is left out, what is refused."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from attribution.errors import BadInput, TooLarge
from ingest.archives import UnpackLimits, is_archive, unpack

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = UnpackLimits(max_files=20, max_member_bytes=100_000, max_total_bytes=300_000)


def looks_like_an_archive(path: Path) -> bool:
    """Ask about a file."""
    with path.open("rb") as file:
        return is_archive(file)


def make_zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    """Write a deflated zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data, zipfile.ZIP_DEFLATED)
    return path


def make_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """Write a gzipped tar."""
    with tarfile.open(path, "w:gz") as file:
        for info, data in members:
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_zip_keeps_its_folders(tmp_path: Path) -> None:
    """One folder per artist comes out as one folder per artist."""
    archive = make_zip(tmp_path / "a.zip", ("Ann/1.png", b"one"), ("./Bob Ö/x/2.png", b"two"))

    assert looks_like_an_archive(archive)
    assert unpack(archive, tmp_path / "out", LIMITS) == []
    assert tree(tmp_path / "out") == {"Ann/1.png": b"one", "Bob Ö/x/2.png": b"two"}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_keeps_its_folders(tmp_path: Path, mode: str) -> None:
    """Plain and gzipped tars are read, also where members fill their blocks."""
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, mode) as file:  # type: ignore[call-overload]  # two of its modes
        for number in range(10):
            info = tarfile.TarInfo(f"Ann/{number}.png")
            info.size = 1024
            file.addfile(info, io.BytesIO(bytes([number]) * 1024))

    assert looks_like_an_archive(archive)
    assert unpack(archive, tmp_path / "out", LIMITS) == []
    assert len(tree(tmp_path / "out")) == 10


@pytest.mark.parametrize(
    "name",
    ["../out.png", "a/../../out.png", "/etc/out.png", "C:/out.png", "..\\out.png", "a//b.png"],
)
def test_names_that_lead_out_are_left_out(tmp_path: Path, name: str) -> None:
    """No member is written outside the folder, in a zip or a tar."""
    zipped = make_zip(tmp_path / "a.zip", (name, b"x"))
    tarred = make_tar(tmp_path / "a.tar.gz", (tarfile.TarInfo(name), b"x"))
    before = tree(tmp_path)

    for archive in (zipped, tarred):
        (left_out,) = unpack(archive, tmp_path / "out", LIMITS)
        assert "leads out" in left_out.reason
    assert tree(tmp_path) == before


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    """Nothing but plain files is made."""
    link, hard, device = (tarfile.TarInfo(f"a/{name}") for name in ("link", "hard", "device"))
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard.type, hard.linkname = tarfile.LNKTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    tarred = make_tar(tmp_path / "a.tgz", (link, b""), (hard, b""), (device, b""))
    zipped_link = zipfile.ZipInfo("a/link")
    zipped_link.external_attr = 0o120777 << 16
    zipped = make_zip(tmp_path / "a.zip", (zipped_link, b"/etc/passwd"))

    assert len(unpack(tarred, tmp_path / "out", LIMITS)) == 3
    assert len(unpack(zipped, tmp_path / "out", LIMITS)) == 1
    assert not (tmp_path / "out").exists()


def test_the_first_of_two_equal_names_is_kept(tmp_path: Path) -> None:
    """A second member of a name never replaces the first."""
    with pytest.warns(UserWarning, match="Duplicate"):
        archive = make_zip(tmp_path / "a.zip", ("a/1.png", b"first"), ("a/1.png", b"second"))

    (left_out,) = unpack(archive, tmp_path / "out", LIMITS)
    assert "same name" in left_out.reason
    assert tree(tmp_path / "out") == {"a/1.png": b"first"}


def test_encrypted_nested_and_damaged_members_are_left_out(tmp_path: Path) -> None:
    """Each says why; the others are unpacked."""
    archive = make_zip(
        tmp_path / "a.zip", ("a/in.zip", b"PK"), ("a/bad.png", b"b" * 999), ("a/ok.png", b"ok")
    )
    data = bytearray(archive.read_bytes())
    start = data.index(b"a/bad.png") + len("a/bad.png")
    data[start + 2] ^= 0xFF
    archive.write_bytes(data)
    locked = make_zip(tmp_path / "locked.zip", ("a/1.png", b"x"))
    secret = bytearray(locked.read_bytes())
    secret[secret.index(b"PK\x01\x02") + 8] |= 1
    locked.write_bytes(secret)

    reasons = {one.name: one.reason for one in unpack(archive, tmp_path / "out", LIMITS)}
    assert "inside an archive" in reasons["a/in.zip"]
    assert "damaged" in reasons["a/bad.png"]
    assert tree(tmp_path / "out") == {"a/ok.png": b"ok"}
    assert "encrypted" in unpack(locked, tmp_path / "out", LIMITS)[0].reason


def test_names_that_are_no_text_are_left_out(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 and control characters are shown, never used as a path."""
    archive = make_tar(
        tmp_path / "a.tgz",
        (tarfile.TarInfo("a/\udcff.png"), b"x"),
        (tarfile.TarInfo("a/\n.png"), b"x"),
        (tarfile.TarInfo(f"a/{'x' * 300}.png"), b"x"),
    )

    left_out = unpack(archive, tmp_path / "out", LIMITS)
    assert [one.name for one in left_out][:2] == ["a/?.png", "a/\n.png"]
    assert all("no text" in one.reason for one in left_out)


def test_a_member_that_is_too_large_is_left_out(tmp_path: Path) -> None:
    """The limit of one file counts what arrives; the other members are unpacked."""
    archive = make_zip(tmp_path / "a.zip", ("a/big.png", bytes(100_001)), ("a/ok.png", b"ok"))

    (left_out,) = unpack(archive, tmp_path / "out", LIMITS)
    assert "more than 0.1 MiB" in left_out.reason
    assert tree(tmp_path / "out") == {"a/ok.png": b"ok"}


def test_bombs_are_refused(tmp_path: Path) -> None:
    """Many members that each pass, or headers without end, stop the unpacking."""
    zipped = make_zip(tmp_path / "a.zip", *((f"a/{n}.png", bytes(99_000)) for n in range(5)))
    header = tarfile.TarInfo("a/1.png")
    header.pax_headers = {"comment": "x" * (2 << 20)}
    pax = make_tar(tmp_path / "b.tgz", (header, b"x"))
    skipped = make_tar(tmp_path / "c.tgz", (tarfile.TarInfo("../x.png"), bytes(2_000_000)))

    for archive in (zipped, pax, skipped):
        with pytest.raises(TooLarge):
            unpack(archive, tmp_path / "out", LIMITS)
    many = make_zip(tmp_path / "d.zip", *((f"a/{n}.png", b"x") for n in range(21)))
    with pytest.raises(TooLarge, match="more than 20 files"):
        unpack(many, tmp_path / "out", LIMITS)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    """Other bytes and cut archives are errors that name the formats."""
    archive = make_tar(tmp_path / "a.tgz", (tarfile.TarInfo("a/1.png"), b"x" * 5000))
    cut = tmp_path / "cut.tgz"
    cut.write_bytes(archive.read_bytes()[:40])
    other = tmp_path / "other.zip"
    other.write_bytes(b"no archive at all")

    assert not looks_like_an_archive(other)
    for path in (cut, other):
        with pytest.raises(BadInput, match="send a zip, tar or tar"):
            unpack(path, tmp_path / "out", LIMITS)
