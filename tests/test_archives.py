"""Archives from strangers: what is kept, what is left out, what is refused."""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from attribution.errors import BadInput, TooLarge
from ingest.sources.archives import is_archive, unpack
from ingest.sources.members import UnpackLimits

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


def member(size: int, name: str = "a/1.png") -> bytes:
    """Return the header of a tar's member."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


def pax_header(*records: bytes) -> bytes:
    """Return a pax header with records of less than 95 bytes."""
    data = b"".join(b"%02d %s" % (len(record) + 3, record) for record in records)
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data.ljust(-(-len(data) // 512) * 512, b"\0")


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
    assert [one.name for one in left_out][:2] == ["a/\\xff.png", "a/\n.png"]
    assert all("not text" in one.reason for one in left_out)
    assert "--names-encoding" in left_out[0].reason


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


def raw_zip(
    path: Path,
    *names: bytes,
    flag: int = 0,
    method: int = 0,
    system: int = 0,
    unicode_path: bytes = b"",
    of: bytes = b"",
) -> Path:
    """Write a zip whose names are bytes; `unicode_path` with the checksum of the name `of`."""
    out, central = b"", b""
    for name in names:
        extra = b""
        if unicode_path:
            field = b"\x01" + struct.pack("<I", zlib.crc32(of or name)) + unicode_path
            extra = struct.pack("<HH", 0x7075, len(field)) + field
        data = name  # so that each content is its own
        fixed = (flag, method, 0, 0x5821, zlib.crc32(data), len(data), len(data), len(name))
        local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, *fixed, len(extra)) + name + extra
        tail = (len(extra), 0, 0, 0, 0, len(out))
        head = struct.pack("<4sBBHHHHHIIIHHHHHII", b"PK\1\2", 20, system, 20, *fixed, *tail)
        central += head + name + extra
        out += local + data
    count = len(names)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(central), len(out), 0)
    path.write_bytes(out + central + end)
    return path


def unpacked(archive: Path, folder: Path, encoding: str | None = None) -> set[str]:
    """Unpack an archive of which nothing is left out; return the names."""
    assert unpack(archive, folder, LIMITS, names_encoding=encoding) == []
    return set(tree(folder))


@pytest.mark.parametrize(
    ("name", "encoding", "system"),
    [
        ("José Núñez/niño.png", "utf-8", 0),
        ("José Núñez/niño.png", "utf-8", 3),
        ("葛飾北斎/富士山.png", "utf-8", 3),
        ("José Núñez/niño.png", "cp850", 0),
        ("König/Müller.png", "cp437", 0),
    ],
)
def test_names_of_a_zip_without_a_flag(
    tmp_path: Path, name: str, encoding: str, system: int
) -> None:
    """UTF-8 is recognised, and what only one encoding makes words of."""
    archive = raw_zip(tmp_path / "a.zip", name.encode(encoding), b"Ann/1.png", system=system)

    assert unpacked(archive, tmp_path / "out") == {name, "Ann/1.png"}


def test_a_unicode_path_is_honoured(tmp_path: Path) -> None:
    """Where its checksum is that of the name; else it belongs to another name."""
    name = "José/1.png"
    good = raw_zip(tmp_path / "a.zip", b"Jos_/1.png", unicode_path=name.encode())
    stale = raw_zip(tmp_path / "b.zip", b"Ann/1.png", unicode_path=name.encode(), of=b"Jos_/1.png")
    broken = raw_zip(tmp_path / "c.zip", b"Bob/1.png", unicode_path=b"Jos\xe9/1.png")
    evil = raw_zip(tmp_path / "d.zip", b"Bob/1.png", unicode_path=b"../1.png")

    assert unpacked(good, tmp_path / "good") == {name}
    assert unpacked(stale, tmp_path / "stale") == {"Ann/1.png"}
    assert unpacked(broken, tmp_path / "broken") == {"Bob/1.png"}
    assert "leads out" in unpack(evil, tmp_path / "evil", LIMITS)[0].reason


def test_the_encoding_of_names_is_asked_for(tmp_path: Path) -> None:
    """The error shows how the names would look; with the encoding they are what they were."""
    names = ["葛飾北斎/富士山.png", "歌川広重/表.png"]
    archive = raw_zip(tmp_path / "a.zip", *(name.encode("cp932") for name in names))

    with pytest.raises(BadInput, match=r"--names-encoding.*as cp932: .*'葛飾北斎/富士山.png'"):
        unpack(archive, tmp_path / "out", LIMITS)
    with pytest.raises(BadInput, match="are not ascii; say their encoding"):
        unpack(archive, tmp_path / "out", LIMITS, names_encoding="ascii")
    assert not (tmp_path / "out").exists()
    assert unpacked(archive, tmp_path / "out", "shift_jis") == set(names)


def test_names_of_one_archive_are_decided_together(tmp_path: Path) -> None:
    """One that is no UTF-8 makes the others doubtful too."""
    archive = raw_zip(tmp_path / "a.zip", "José/1.png".encode(), "Jos\xe8/1.png".encode("cp1252"))

    with pytest.raises(BadInput, match="--names-encoding"):
        unpack(archive, tmp_path / "out", LIMITS)


def test_a_flag_that_lies_is_named(tmp_path: Path) -> None:
    """Names that say UTF-8 and are not cannot be read."""
    archive = raw_zip(tmp_path / "a.zip", b"Jos\xe9/1.png", flag=1 << 11)

    with pytest.raises(BadInput, match="cannot be read"):
        unpack(archive, tmp_path / "out", LIMITS)


def test_names_of_an_old_tar(tmp_path: Path) -> None:
    """Bytes are read in the encoding that is said; without one they are left out."""
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT, encoding="cp1252") as file:
        file.addfile(tarfile.TarInfo("José/1.png"), io.BytesIO())

    (left_out,) = unpack(archive, tmp_path / "out", LIMITS)
    assert "as cp1252: 'José/1.png'" in left_out.reason
    assert unpacked(archive, tmp_path / "said", "cp1252") == {"José/1.png"}


def test_a_tar_without_magic_is_one(tmp_path: Path) -> None:
    """The oldest tars have a checksum alone."""
    info = tarfile.TarInfo("a/1.png")
    header = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    header[257:265] = bytes(8)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(bytes(header) + bytes(1024))

    assert looks_like_an_archive(tmp_path / "a.tar")
    assert unpacked(tmp_path / "a.tar", tmp_path / "out") == {"a/1.png"}


@pytest.mark.parametrize(
    ("method", "says"),
    [
        (9, "Deflate64, as Windows Explorer"),
        (12, "bzip2"),
        (98, "PPMd"),
        (93, "Zstandard"),
        (77, "method 77"),
    ],
)
def test_methods_that_are_not_read_are_named(tmp_path: Path, method: int, says: str) -> None:
    """Nothing is damaged: it was packed in a way that asks for another."""
    archive = raw_zip(tmp_path / "a.zip", b"Ann/1.png", method=method)

    (left_out,) = unpack(archive, tmp_path / "out", LIMITS)

    assert says in left_out.reason
    assert "pack it again" in left_out.reason
    assert "damaged" not in left_out.reason


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07\x01", "a rar archive"),
        (lzma.compress(b"x"), "xz"),
        (bz2.compress(b"x"), "bzip2"),
        (b"\x28\xb5\x2f\xfd", "Zstandard"),
        (b"PK\x07\x08PK\x03\x04", "one part of a split zip"),
    ],
)
def test_other_archives_are_named(tmp_path: Path, start: bytes, says: str) -> None:
    """Whatever their name, by their first bytes, with what to do."""
    (tmp_path / "a.zip").write_bytes(start + bytes(600))

    with pytest.raises(BadInput, match=rf"{says}.*pack the folder as zip or tar\.gz"):
        looks_like_an_archive(tmp_path / "a.zip")


def test_global_headers_say_nothing(tmp_path: Path) -> None:
    """What git archive writes in front of all names no member and counts as none."""
    archive = tmp_path / "a.tar"
    headers = {"comment": "0" * 40, "path": "b/2.png"}
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT, pax_headers=headers) as file:
        file.addfile(tarfile.TarInfo("a/1.png"), io.BytesIO())

    assert unpacked(archive, tmp_path / "out") == {"a/1.png"}


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_of_a_tar(tmp_path: Path, kind: int) -> None:
    """Names that do not fit a header are read from those in front of it, sizes as well."""
    name = f"José Núñez/{'x' * 120}.png"
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=kind) as file:
        for number, data in ((1, b"one"), (2, b"")):
            info = tarfile.TarInfo(name.replace("x.", f"{number}."))
            info.size, info.linkname = len(data), "y" * 200
            file.addfile(info, io.BytesIO(data))
    (tmp_path / "b.tar").write_bytes(pax_header(b"size=3\n") + member(0) + b"one".ljust(512, b"\0"))

    assert len(unpacked(archive, tmp_path / "out")) == 2
    assert tree(tmp_path / "out")[name.replace("x.", "1.")] == b"one"
    assert unpacked(tmp_path / "b.tar", tmp_path / "b") == {"a/1.png"}
    assert tree(tmp_path / "b") == {"a/1.png": b"one"}


def test_sparse_files_are_left_out(tmp_path: Path) -> None:
    """Of either format, with the words that help; what follows is unpacked."""
    old = tarfile.TarInfo("a/old.png")
    old.type = tarfile.GNUTYPE_SPARSE
    head = bytearray(old.tobuf(tarfile.GNU_FORMAT))
    head[482], head[148:156] = 1, b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    new = pax_header(b"GNU.sparse.major=1\n", b"path=a/new.png\n") + member(3) + bytes(512)
    archive = tmp_path / "a.tar"
    archive.write_bytes(bytes(head) + bytes(512) + new + member(0))

    left_out = unpack(archive, tmp_path / "out", LIMITS)
    assert [one.name for one in left_out] == ["a/old.png", "a/new.png"]
    assert all("pack it without --sparse" in one.reason for one in left_out)
    assert set(tree(tmp_path / "out")) == {"a/1.png"}
