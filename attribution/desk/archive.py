"""How a pack is written: a ZIP whose every byte follows from its files, and a signed manifest.

Nothing is compressed, so that no pack unpacks into more than it is, and names and times are ours:
the same files in the same order are the same bytes. `verification` writes them again to compare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import rfc8785

from attribution.errors import BadInput

FORMAT, VERSION = "lawful-evidence-pack", 1
MANIFEST, SIGNATURE, TIMESTAMP = "manifest.json", "manifest.jws", "manifest.tsr"
AUTHORITY = "timestamp-authority.pem"  # whom the installation trusts to say the time
RECORDS, CHAIN, HEADS = "audit/records.json", "audit/chain.json", "audit/heads"
LOOKUPS = "lookups"
CASE = "case.json"
SIGNS = "evidence_pack"  # what the signed statement calls the SHA-256 of the manifest
# What a file of JSON may be, for those who verify it: of 1,000 lookups the largest has 8 MB, with
# one value in 25 bytes.
LARGEST_JSON = 32 << 20  # bytes
BYTES_A_VALUE, FEW_VALUES = 16, 20_000
EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a ZIP can say; when it was made is in the manifest
FILE = 0o100644


def answer_path(attribution_id: str) -> str:
    """Return where the recorded answer of a lookup is in a pack."""
    return f"{LOOKUPS}/{attribution_id}/answer.json"


def workings_path(attribution_id: str) -> str:
    """Return where what an answer was computed from is in a pack, if it is there."""
    return f"{LOOKUPS}/{attribution_id}/workings.json"


def subject_path(attribution_id: str, kind: str) -> str:
    """Return where the image that a lookup is about is in a pack, if it is there."""
    return f"{LOOKUPS}/{attribution_id}/subject.{kind}"


def entry(path: str) -> ZipInfo:
    """Return what a ZIP says of a file of a pack."""
    info = ZipInfo(path, EARLIEST)
    info.compress_type, info.create_system, info.external_attr = ZIP_STORED, 3, FILE << 16
    return info


@dataclass(frozen=True)
class Listed:
    """One file of a pack, as its manifest has it."""

    path: str
    sha256: str
    size: int
    what: str  # in a few words, for people


class Archive:
    """A pack that is being written, file by file; the manifest comes last."""

    def __init__(self, file: IO[bytes] | Path) -> None:
        self._zip = ZipFile(file, "w", ZIP_STORED)
        self._files: list[Listed] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def add(self, path: str, data: bytes, what: str) -> str:
        """Add a file under a name of ours; returns its SHA-256."""
        digest = hashlib.sha256(data).hexdigest()
        self._files.append(Listed(path, digest, len(data), what))
        self._zip.writestr(entry(path), data)
        return digest

    def add_json(self, path: str, value: Any, what: str) -> None:
        """Add a file of canonical JSON (RFC 8785); raises BadInput for one too large to verify."""
        self.add(path, _dumped(path, value), what)

    def add_manifest(self, said: Mapping[str, Any]) -> str:
        """Add the list of all files so far, with what is said of the pack; returns its SHA-256."""
        files = [vars(one) for one in self._files]
        head: dict[str, Any] = {"format": FORMAT, "version": VERSION}
        data = _dumped(MANIFEST, {**head, **said, "files": files})
        self._zip.writestr(entry(MANIFEST), data)
        return hashlib.sha256(data).hexdigest()

    def add_about_manifest(self, path: str, data: bytes) -> None:
        """Add what vouches for the manifest, which cannot stand in it."""
        self._zip.writestr(entry(path), data)


def _dumped(path: str, value: Any) -> bytes:
    data = rfc8785.dumps(value)
    if len(data) > LARGEST_JSON:
        raise BadInput(
            f"{path} would have {len(data):,} bytes, and nobody could verify more than "
            f"{LARGEST_JSON:,}; make several packs of fewer lookups"
        )
    return data
