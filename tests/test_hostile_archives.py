"""Archives that are made to exhaust memory or time: refused by name, and before they cost either.

Each is a few kilobytes to a few megabytes. One process reads them all, and may take a little more
address space than it has when it begins.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

MOST_FILES = 1_000
MORE_BYTES = 48 * 2**20  # of address space, for each archive and all of them
READ = """
import json, resource, sys
from pathlib import Path
from attribution.errors import BadInput
from ingest.sources.archives import unpack
from ingest.sources.members import UnpackLimits

used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
limits = UnpackLimits(int(sys.argv[1]), max_member_bytes=2**20, max_total_bytes=2**23)
said = {}
for path in map(Path, sys.argv[3:]):
    try:
        left_out = unpack(path, path.with_suffix(".out"), limits)
        said[path.name] = [one.reason for one in left_out]
    except BadInput as error:
        said[path.name] = [str(error)]
print(json.dumps(said))
"""


def header(kind: bytes, data: bytes, name: str = "a") -> bytes:
    """Return a header of a tar with what belongs to it."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def records(count: int) -> bytes:
    """Return a global pax header with many words."""
    return tarfile.TarInfo.create_pax_global_header({f"k{n:05}": "x" for n in range(count)})


def folders(count: int) -> bytes:
    """Return the entries of many folders."""
    return b"".join(header(tarfile.DIRTYPE, b"", f"a/{n}") for n in range(count))


def listed(count: int, said: int, name: bytes = b"a/1.png") -> bytes:
    """Return a zip that lists more members than it says; past 65,535 in its zip64 form."""
    entry = struct.pack(
        "<4sBBHHHHHIIIHHHHHII", b"PK\1\2", 20, 3, 20, *(0,) * 7, len(name), *(0,) * 6
    )
    entries = (entry + name) * count
    if said <= 0xFFFF:
        end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, said, said, len(entries), 0, 0)
        return entries + end
    total = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, said, said, len(entries), 0)
    where = struct.pack("<4sIQI", b"PK\6\7", 0, len(entries), 1)
    full = (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    return entries + total + where + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, *full, 0)


def bomb(method: int) -> bytes:
    """Return a zip with one member of 64 MiB of zeros."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file, file.open("a/1.png", "w") as member:
        for _ in range(16):
            member.write(bytes(2**22))
    return buffer.getvalue()


FILES = f"more than {MOST_FILES} files and folders; split it, or raise LAWFUL_MAX_ARCHIVE_FILES"
CHAIN = "more than 8 headers in front of one member; pack it again"
LARGE = "a header of more than 1 MiB; pack it again"
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "folders.tar.gz": (lambda: gzip.compress(records(40_000) + folders(3_000)), FILES),
    "global-each.tar.gz": (lambda: gzip.compress((records(200) + folders(1)) * 1_100), FILES),
    "links.tar": (lambda: header(tarfile.SYMTYPE, b"") * 1_100, FILES),
    "chain-global.tar": (lambda: header(tarfile.XGLTYPE, b"7 a=bc\n") * 900, CHAIN),
    "chain-pax.tar": (lambda: header(tarfile.XHDTYPE, b"7 a=bc\n") * 900, CHAIN),
    "chain-gnu.tar": (lambda: header(tarfile.GNUTYPE_LONGNAME, b"a\0") * 900, CHAIN),
    "large-pax.tar.gz": (lambda: gzip.compress(header(tarfile.XHDTYPE, bytes(2**23))), LARGE),
    "large-gnu.tar.gz": (
        lambda: gzip.compress(header(tarfile.GNUTYPE_LONGNAME, b"a" * 2**23)),
        LARGE,
    ),
    "digits.tar": (lambda: header(tarfile.XHDTYPE, b"1" * 2**19), "a pax header is damaged"),
    "size.tar": (
        lambda: header(tarfile.XHDTYPE, b"14 size=-512\n") + header(tarfile.REGTYPE, b""),
        "its size is b'-512'",
    ),
    "listed.zip": (lambda: listed(50_000, said=1, name=b""), "a list of members of more than"),
    "more-listed.zip": (lambda: listed(1_001, said=1), FILES),
    "listed-zip64.zip": (lambda: listed(200_000, said=200_000), "a list of members of more than"),
    "long-list.zip": (
        lambda: listed(200, said=200, name=b"x" * 60_000),
        "a list of members of more than",
    ),
    "bzip2.zip": (lambda: bomb(zipfile.ZIP_BZIP2), "it is packed with bzip2, which is not read"),
    "lzma.zip": (lambda: bomb(zipfile.ZIP_LZMA), "it is packed with LZMA, which is not read"),
    "deflate.zip": (lambda: bomb(zipfile.ZIP_DEFLATED), "unpacks to more than 1.0 MiB"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Have all of them unpacked by one process with little memory; return what it says."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (make, _) in HOSTILE.items():
        (folder / name).write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", READ, str(MOST_FILES), str(MORE_BYTES), *sorted(folder.iterdir())],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    said: dict[str, list[str]] = json.loads(done.stdout)
    return said


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits as Linux has them")
@pytest.mark.parametrize("name", HOSTILE)
def test_is_refused_within_little_memory(answers: dict[str, list[str]], name: str) -> None:
    """With words that name what is wrong and what to do."""
    (reason,) = answers[name]
    assert HOSTILE[name][1] in reason
