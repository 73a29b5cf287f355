"""Whether a pack is as it was made: needs neither database nor models nor a network.

A pack comes from strangers. It is read a bounded piece at a time, nothing is written, and whatever
is wrong becomes a finding with the name of the file. What the pack says may be wrong all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast
from uuid import UUID
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from cryptography import x509

from attribution.desk.archive import (
    AUTHORITY,
    CHAIN,
    FORMAT,
    LARGEST_JSON,
    MANIFEST,
    RECORDS,
    SIGNATURE,
    SIGNS,
    TIMESTAMP,
    VERSION,
    entry,
)
from attribution.desk.opened import (
    PIECE,
    UNREADABLE,
    Pack,
    Verified,
    plain,
)
from attribution.desk.receipts import Receipt, check_receipts
from attribution.desk.vouching import check_records, follow_chain
from attribution.errors import BadInput
from attribution.provenance.statements import key_id, read_statement
from attribution.provenance.timestamps import read_timestamp

MOST_FILES = 100_000
LARGEST_LIST = 16 << 20  # bytes of the list of files
NOT_TRUTH = (
    "This says whether the pack is as it was made. It does not say that what is in it is true."
)
VOUCHING = (SIGNATURE, TIMESTAMP)  # behind the manifest, which cannot list them


@dataclass(frozen=True)
class Trusted:
    """What the reader of a pack knows from elsewhere."""

    key: str | None = None  # SHA-256 of the public key of whoever should have signed
    authorities: Sequence[x509.Certificate] = ()  # roots of timestamp authorities
    receipts: Sequence[Receipt] = ()  # of withdrawals


NOTHING_KNOWN = Trusted()


def verify(path: Path, trusted: Trusted = NOTHING_KNOWN) -> Verified:
    """Check a pack; raises BadInput where there is no file that can be read."""
    found = Verified()
    try:
        with path.open("rb") as raw, path.open("rb") as compared:
            _open(raw, compared, trusted, found)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    found.count_the_rest()
    return found


def _open(raw: IO[bytes], compared: IO[bytes], trusted: Trusted, found: Verified) -> None:
    bounded = _Bounded(raw)
    try:
        with ZipFile(cast("IO[bytes]", bounded)) as archive:
            bounded.most = LARGEST_JSON
            _verify(archive, compared, trusted, found)
    except (BadZipFile, EOFError, NotImplementedError, OSError, *UNREADABLE) as error:
        found.fault("files", f"the archive is damaged, cut off, or no pack: {error}")


class _Bounded:
    """A file of which no large piece is read at once, whatever numbers are in it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self.most = LARGEST_LIST  # bytes in one piece: the list of files comes first

    def read(self, size: int = -1, /) -> bytes:
        """Read; raises BadZipFile for too large a piece."""
        if size > self.most:
            raise BadZipFile(f"a part of it is said to have {size} bytes")
        return self._file.read(self.most if size < 0 else size)


def _verify(archive: ZipFile, raw: IO[bytes], trusted: Trusted, found: Verified) -> None:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(names) > MOST_FILES:
        raise BadZipFile(f"it has {len(names)} files, more than {MOST_FILES}")
    if odd := next((one for one in infos if _is_odd(one)), None):
        found.fault("files", f"{plain(odd.filename)} is packed in a way that no pack of ours is")
        return
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        found.fault("files", f"{plain(twice[0])} is in the archive more than once")
        return
    if sum(info.file_size for info in infos) > raw.seek(0, 2):
        raise BadZipFile("its files are said to overlap")
    pack = Pack(archive, found)
    pack.read_all()
    if not _is_written_alike(archive, raw):
        found.fault("files", "the archive itself is not byte for byte as this program writes it")
    signer = _signature(pack, trusted)
    manifest = _manifest(pack, names)
    if manifest is None:
        return
    _timestamp(pack, trusted)
    if trusted.receipts:
        with found.reading("withdrawn", MANIFEST):
            check_receipts(pack, manifest, trusted.receipts, signer)
    with found.reading("audit", CHAIN):
        vouched = follow_chain(pack, signer)
        with found.reading("audit", RECORDS):
            listed = dict.fromkeys(manifest["attributions"])
            answers = dict.fromkeys(str(UUID(one)) for one in listed if one in pack.lookups)
            if missing := sum(one not in pack.lookups for one in listed):
                said = f"answers that {MANIFEST} lists and the pack does not have: {missing:,}"
                found.fault("answer", said)
            check_records(pack, vouched, answers)


def _is_odd(info: ZipInfo) -> bool:
    return (
        info.compress_type != ZIP_STORED
        or info.compress_size != info.file_size
        or info.flag_bits != 0  # encrypted, or without sizes
        or info.is_dir()
        or any(part in {"", ".", ".."} for part in info.filename.split("/"))
    )


def _signature(pack: Pack, trusted: Trusted) -> x509.Certificate | None:
    """Check who signed the manifest; returns the certificate."""
    found = pack.found
    with found.reading("signature", SIGNATURE):
        said, signer = read_statement(pack.text(SIGNATURE).decode("ascii").strip())
        name, key = signer.subject.rfc4514_string(), key_id(signer)
        if said.get(SIGNS) != pack.digests.get(MANIFEST, ("",))[0]:
            found.fault("signature", f"{MANIFEST} is not the one that was signed")
        elif trusted.key is None:
            found.say(
                "signature",
                f"signed by {plain(name)} with the key {key}; whose key that is, "
                f"this does not say: compare it with the one that the sender publishes (--key)",
            )
        elif trusted.key == key:
            found.say("signature", f"signed by {plain(name)} with the key that you gave, {key}")
        else:
            found.fault("signature", f"signed with another key than the one that you gave: {key}")
        return signer
    return None


def _manifest(pack: Pack, names: Sequence[str]) -> Mapping[str, Any] | None:
    """Compare the files with the manifest; returns it."""
    found, before = pack.found, pack.found.counted.total()
    with found.reading("files", MANIFEST):
        manifest: Mapping[str, Any] = pack.json(MANIFEST)
        if (manifest["format"], manifest["version"]) != (FORMAT, VERSION):
            raise BadInput(f"it is of another version; this program reads version {VERSION}")
        listed = {one["path"]: (one["sha256"], one["size"]) for one in manifest["files"]}
        there = set(names)
        for path, digest in listed.items():
            if path not in there:
                found.fault("files", f"missing: {plain(path)}")
            elif pack.digests.get(path) != digest:
                found.fault("files", f"changed: {plain(path)}")
        order = [*listed, MANIFEST, *(name for name in VOUCHING if name in there)]
        for path in names:
            if path not in listed and path not in {MANIFEST, *VOUCHING}:
                found.fault("files", f"not in the manifest: {plain(path)}")
        if there == set(order) and list(names) != order:
            found.fault("files", "the files are not in the order of the manifest")
        if found.counted.total() == before:
            found.say("files", f"intact: all {len(listed)} files are as the manifest lists them")
        made_at = datetime.fromisoformat(manifest["made_at"])
        said = f"made {made_at:%Y-%m-%d %H:%M UTC} by {plain(manifest['made_by'])}"
        found.say("files", f"{said} with {plain(manifest['program'])}, as the pack itself says")
        return manifest
    return None


def _timestamp(pack: Pack, trusted: Trusted) -> None:
    """Check who says when the signature was there."""
    found = pack.found
    if TIMESTAMP not in pack.names:
        found.say("time", "no timestamp authority says when; the time is the signer's own word")
        return
    with found.reading("time", TIMESTAMP):
        own = x509.load_pem_x509_certificates(pack.text(AUTHORITY))
        stamp = pack.text(TIMESTAMP)
        at = read_timestamp(stamp, pack.text(SIGNATURE), trusted.authorities or own)
        if trusted.authorities:
            known = "an authority that you trust"
        else:
            names = ", ".join(plain(one.subject.rfc4514_string()) for one in own)
            known = f"{names}; whether to trust it is for you to say (--authority)"
        found.say("time", f"signed before {at:%Y-%m-%d %H:%M:%S UTC}, by the word of {known}")


def _is_written_alike(archive: ZipFile, raw: IO[bytes]) -> bool:
    """Write the files again as this program does, and compare every byte."""
    copy = _Compared(raw)
    try:
        with ZipFile(cast("IO[bytes]", copy), "w", ZIP_STORED) as again:
            for info in archive.infolist():
                with archive.open(info) as file, again.open(entry(info.filename), "w") as to:
                    while piece := file.read(PIECE):
                        to.write(piece)
    except (BadZipFile, EOFError):
        return False
    return copy.is_alike


class _Compared:
    """A file that keeps nothing of what is written: it compares it with another one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._at, self._end = file, 0, 0
        self._differs = set[int]()  # where pieces begin that do: headers are written twice

    @property
    def is_alike(self) -> bool:
        """Whether all was written that the other file has, and nothing else."""
        return not self._differs and self._file.seek(0, 2) == self._end

    def write(self, data: bytes) -> int:
        """Compare a piece with the other file."""
        self._file.seek(self._at)
        if self._file.read(len(data)) == data:
            self._differs.discard(self._at)
        else:
            self._differs.add(self._at)
        self._at += len(data)
        self._end = max(self._end, self._at)
        return len(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        self._at = offset + (self._end if whence == 2 else self._at if whence == 1 else 0)
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def seekable(self) -> bool:
        """Tell that places can be gone to."""
        return True

    def flush(self) -> None:
        """Do nothing: nothing is kept."""
