"""Whether a pack is as it was made: needs neither database nor models nor a network.

A pack comes from strangers. It is read a bounded piece at a time, nothing is written, and whatever
is wrong becomes a finding with the name of the file. What the pack says may be wrong all the same.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast
from uuid import UUID
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import rfc8785
from cryptography import x509

from attribution.answers import parted, read_answer
from attribution.arithmetic import commitments
from attribution.desk.archive import (
    AUTHORITY,
    CASE,
    CHAIN,
    FORMAT,
    LOOKUPS,
    MANIFEST,
    RECORDS,
    SIGNATURE,
    SIGNS,
    TIMESTAMP,
    VERSION,
    answer_path,
    entry,
    subject_path,
    workings_path,
)
from attribution.errors import BadInput
from attribution.lookup.recomputing import recompute
from attribution.provenance.statements import key_id, read_statement
from attribution.provenance.timestamps import read_timestamp

MOST_FILES = 100_000
LARGEST_LIST = 16 << 20  # bytes of the list of files
LARGEST_PIECE = 64 << 20  # bytes read at once: a file of JSON
PIECE = 1 << 20
UNREADABLE = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError),
    *(ValueError, x509.InvalidVersion),
)
NOT_TRUTH = (
    "This says whether the pack is as it was made. It does not say that what is in it is true."
)
VOUCHING = (SIGNATURE, TIMESTAMP)  # behind the manifest, which cannot list them


@dataclass(frozen=True)
class Finding:
    """One sentence about a pack."""

    about: str  # "files", "signature", "time", "audit", "answer" and others
    said: str
    is_wrong: bool = False


@dataclass
class Verified:
    """What was found of a pack."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        """Whether nothing is wrong."""
        return not any(one.is_wrong for one in self.findings)

    def say(self, about: str, said: str) -> None:
        """Note what is as it should be."""
        self.findings.append(Finding(about, said))

    def fault(self, about: str, said: str) -> None:
        """Note what is wrong."""
        self.findings.append(Finding(about, said, is_wrong=True))

    @contextmanager
    def reading(self, about: str, what: str) -> Iterator[None]:
        """Take whatever a file raises that is none of ours as a fault."""
        try:
            yield
        except BadInput as error:
            self.fault(about, f"{what}: {error}")
        except UNREADABLE as error:
            self.fault(about, f"{what} is not as this program writes it ({type(error).__name__})")


@dataclass(frozen=True)
class Trusted:
    """What the reader of a pack knows from elsewhere."""

    key: str | None = None  # SHA-256 of the public key of whoever should have signed
    authorities: Sequence[x509.Certificate] = ()  # roots of timestamp authorities


NOTHING_KNOWN = Trusted()


def verify(path: Path, trusted: Trusted = NOTHING_KNOWN) -> Verified:
    """Check a pack; raises BadInput where there is no file that can be read."""
    found = Verified()
    try:
        with path.open("rb") as raw, path.open("rb") as compared:
            _open(raw, compared, trusted, found)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    return found


def _open(raw: IO[bytes], compared: IO[bytes], trusted: Trusted, found: Verified) -> None:
    bounded = _Bounded(raw)
    try:
        with ZipFile(cast("IO[bytes]", bounded)) as archive:
            bounded.most = LARGEST_PIECE
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
        found.fault("files", f"{_plain(odd.filename)} is packed in a way that no pack of ours is")
        return
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        found.fault("files", f"{_plain(twice[0])} is in the archive more than once")
        return
    if sum(info.file_size for info in infos) > raw.seek(0, 2):
        raise BadZipFile("its files are said to overlap")
    pack = _Pack(archive, found)
    pack.read_all()
    if not _is_written_alike(archive, raw):
        found.fault("files", "the archive itself is not byte for byte as this program writes it")
    signer = _signature(pack, trusted)
    manifest = _manifest(pack, names)
    if manifest is None:
        return
    _timestamp(pack, trusted)
    with found.reading("audit", CHAIN):
        vouched = _chain(pack, signer)
        with found.reading("audit", RECORDS):
            answers = dict.fromkeys(str(UUID(one)) for one in manifest["attributions"])
            _records(pack, vouched, answers)


def _is_odd(info: ZipInfo) -> bool:
    return (
        info.compress_type != ZIP_STORED
        or info.compress_size != info.file_size
        or info.flag_bits != 0  # encrypted, or without sizes
        or info.is_dir()
        or any(part in {"", ".", ".."} for part in info.filename.split("/"))
    )


@dataclass
class _Pack:
    """The files of a pack: digests of all, and the text of those that are looked into."""

    archive: ZipFile
    found: Verified
    digests: dict[str, tuple[str, int]] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)  # from the record, by arithmetic
    # What there is about each answer, by its id.
    lookups: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def read_all(self) -> None:
        """Digest every file; a damaged one has no digest."""
        for info in self.archive.infolist():
            if info.filename.startswith(f"{LOOKUPS}/"):
                self.lookups[info.filename.split("/")[1]].append(info.filename)
            digest, size = hashlib.sha256(), 0
            try:
                with self.archive.open(info) as file:
                    while piece := file.read(PIECE):
                        digest.update(piece)
                        size += len(piece)
            except (BadZipFile, EOFError):
                continue
            self.digests[info.filename] = digest.hexdigest(), size

    def text(self, path: str) -> bytes:
        """Return a file to be looked into; raises BadInput."""
        if path not in self.digests:
            is_there = path in self.archive.namelist()
            raise BadInput("its bytes were changed" if is_there else "it is missing")
        if self.digests[path][1] > LARGEST_PIECE:
            raise BadInput("it is too large")
        return self.archive.read(path)

    def json(self, path: str) -> Any:
        """Return what a file of canonical JSON says; raises BadInput, ValueError."""
        data = self.text(path)
        said = json.loads(data)
        if rfc8785.dumps(said) != data:
            raise BadInput("it is not canonical JSON (RFC 8785)")
        return said


def _signature(pack: _Pack, trusted: Trusted) -> x509.Certificate | None:
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
                f"signed by {_plain(name)} with the key {key}; whose key that is, "
                f"this does not say: compare it with the one that the sender publishes (--key)",
            )
        elif trusted.key == key:
            found.say("signature", f"signed by {_plain(name)} with the key that you gave, {key}")
        else:
            found.fault("signature", f"signed with another key than the one that you gave: {key}")
        return signer
    return None


def _manifest(pack: _Pack, names: Sequence[str]) -> Mapping[str, Any] | None:
    """Compare the files with the manifest; returns it."""
    found, before = pack.found, len(pack.found.findings)
    with found.reading("files", MANIFEST):
        manifest: Mapping[str, Any] = pack.json(MANIFEST)
        if (manifest["format"], manifest["version"]) != (FORMAT, VERSION):
            raise BadInput(f"it is of another version; this program reads version {VERSION}")
        listed = {one["path"]: (one["sha256"], one["size"]) for one in manifest["files"]}
        there = set(names)
        for path, digest in listed.items():
            if path not in there:
                found.fault("files", f"missing: {_plain(path)}")
            elif pack.digests.get(path) != digest:
                found.fault("files", f"changed: {_plain(path)}")
        order = [*listed, MANIFEST, *(name for name in VOUCHING if name in there)]
        for path in names:
            if path not in listed and path not in {MANIFEST, *VOUCHING}:
                found.fault("files", f"not in the manifest: {_plain(path)}")
        if there == set(order) and list(names) != order:
            found.fault("files", "the files are not in the order of the manifest")
        if len(found.findings) == before:
            found.say("files", f"intact: all {len(listed)} files are as the manifest lists them")
        made_at = datetime.fromisoformat(manifest["made_at"])
        said = f"made {made_at:%Y-%m-%d %H:%M UTC} by {_plain(manifest['made_by'])}"
        found.say("files", f"{said} with {_plain(manifest['program'])}, as the pack itself says")
        return manifest
    return None


def _timestamp(pack: _Pack, trusted: Trusted) -> None:
    """Check who says when the signature was there."""
    found = pack.found
    if TIMESTAMP not in pack.archive.namelist():
        found.say("time", "no timestamp authority says when; the time is the signer's own word")
        return
    with found.reading("time", TIMESTAMP):
        own = x509.load_pem_x509_certificates(pack.text(AUTHORITY))
        stamp = pack.text(TIMESTAMP)
        at = read_timestamp(stamp, pack.text(SIGNATURE), trusted.authorities or own)
        if trusted.authorities:
            known = "an authority that you trust"
        else:
            names = ", ".join(_plain(one.subject.rfc4514_string()) for one in own)
            known = f"{names}; whether to trust it is for you to say (--authority)"
        found.say("time", f"signed before {at:%Y-%m-%d %H:%M:%S UTC}, by the word of {known}")


@dataclass(frozen=True)
class _Vouched:
    """What the entries in a pack say."""

    entries: Mapping[int, Mapping[str, Any]]  # the leaves of each, by number
    gone: frozenset[tuple[str, str, str]]  # receipt, object and leaf of what was forgotten


def _chain(pack: _Pack, signer: x509.Certificate | None) -> _Vouched:
    """Follow the chain of the audit from the entries in a pack to the signed heads."""
    found, entries, seals = pack.found, dict[int, Any](), dict[int, Any]()
    for segment in pack.json(CHAIN):
        number, digest = segment["first"] - 1, segment["before"]
        for one in segment["links"]:
            number += 1
            record = one
            if not isinstance(one, str):
                entries[number], seals[number] = one["leaves"], one["seal"]
                if one["seal"].keys() != one["leaves"].keys():
                    raise BadInput(f"the seal of entry {number} is for other parts than it has")
                record = commitments.digest(one["leaves"], one["seal"])
            digest = commitments.link(digest, number, record)
        said, by = read_statement(pack.text(segment["head"]).decode("ascii").strip())
        head = _plain(segment["head"])
        if (said["sequence"], said["digest"]) != (number, digest):
            found.fault("audit", f"the chain does not lead to {head}: it is cut")
        elif signer is not None and key_id(by) != key_id(signer):
            found.fault("audit", f"{head} is signed with another key than the pack")
        else:
            found.say("audit", f"the chain of the audit is whole up to entry {number}, signed")
    gone = frozenset(_explained(entries))
    for number, seal in seals.items():
        for leaf, one in seal.items():
            if "commitment" in one and not (
                (one["receipt"], str(number), leaf) in gone and entries[number][leaf] == "erased"
            ):
                found.fault("audit", f"{leaf!r} of entry {number} is gone without an entry on that")
    return _Vouched(entries, gone)


def _explained(entries: Mapping[int, Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield what entries say is gone: receipt, object or number of an entry, leaf."""
    for one in entries.values():
        about, details = str(one["object"]), one["details"]
        if one["action"] == "erase":
            yield from ((about, str(number), "actor") for number in details["entries"])
        if one["action"] == "forget":
            receipt = about.removeprefix("withdrawal:")
            for key, leaves in details["leaves"].items():
                yield from ((receipt, key, leaf) for leaf in leaves)


def _records(pack: _Pack, vouched: _Vouched, answers: Collection[str]) -> None:
    """Hold records against the entries that vouch for them, and answers against records."""
    found = pack.found
    records = {_plain(str(one["object"])): one for one in pack.json(RECORDS)}
    for key, one in records.items():
        if one["entry"] is None:
            found.say(
                "audit",
                f"no entry vouches for {key}: recorded before the audit began, as the pack says",
            )
            continue
        said = vouched.entries.get(one["entry"])
        if said is None or said["object"] != key:
            found.fault(
                "audit", f"{key}: the entry {one['entry']} that should vouch for it does not"
            )
        elif said["details"].get("digest") != commitments.digest(one["leaves"], one["seal"]):
            found.fault("audit", f"{key} does not say what entry {one['entry']} recorded")
        elif more := commitments.unproved(one["leaves"], one["seal"]):
            found.fault(
                "audit", f"{key} says of {more[0]!r} what entry {one['entry']} did not record"
            )
        else:
            _removed(found, key, one["seal"], vouched)
    _left_out(found, records)
    if CASE in pack.archive.namelist():
        with found.reading("case", CASE):
            _case(pack, records)
    for other in sorted(pack.lookups.keys() - answers):
        found.fault("answer", f"{LOOKUPS}/{_plain(other)} is of no answer that the pack is about")
    for attribution in answers:
        with found.reading("answer", answer_path(attribution)):
            _answer(pack, attribution, records[f"attribution:{attribution}"], vouched)
    for taken, count in pack.taken.items():
        of = "1 answer" if count == 1 else f"{count:,} answers"
        found.say("arithmetic", f"of {of}: {_plain(taken)}")


def _case(pack: _Pack, records: Mapping[str, Any]) -> None:
    """Hold what people said in a case against the records of it."""
    case = pack.json(CASE)

    def fixed(kind: str, said: Mapping[str, Any], *values: object) -> None:
        record = records[f"{kind}:{said['id']}"]
        if record["entry"] is None or record["leaves"][""][: len(values)] != [*values]:
            raise BadInput(f"its {kind} {_plain(said['id'])} is not the one that was recorded")

    fixed("case", case, *(case[name] for name in ("id", "number", "kind", "title", "appeals")))
    listed = Counter[str]()
    for one in case["findings"]:
        about = one["id"], case["id"], one["lane"], one["statement"]
        for said in one["assessments"]:
            words = said["verdict"], said["why"], said["by"], said["at"]
            fixed("assessment", said, said["id"], *about, *words)
            listed["assessment"] += 1
    for said in case["decisions"]:
        what = said["number"], said["outcome"], said["ground"], said["words"], said["by"]
        when = said["at"], said["supersedes"], said["needs_second"]
        fixed("decision", said, said["id"], case["id"], *what, *when)
        second = [said["seconded_by"], said["seconded_at"]]
        if records[f"decision:{said['id']}"]["leaves"]["second"] != second:
            raise BadInput(f"who seconded decision {said['number']} is not what was recorded")
        listed["decision"] += 1
    for kind in ("assessment", "decision"):
        if sum(key.startswith(f"{kind}:") for key in records) != listed[kind]:
            raise BadInput(f"it does not have every {kind} of which there is a record in the pack")
    number, decided = case["number"], listed["decision"]
    pack.found.say(
        "case",
        f"case {number}: {listed['assessment']} assessments and {decided} decisions are as they "
        f"were recorded; that there was no later one is the word of whoever signed",
    )


def _answer(pack: _Pack, attribution: str, record: Mapping[str, Any], vouched: _Vouched) -> None:
    """Hold an answer, and the image that it is about, against the record of it."""
    path, leaves, number = answer_path(attribution), record["leaves"], record["entry"]
    answer = pack.json(path)
    fixed, rest = leaves[""][:5], leaves[""][5]
    said, works = parted(answer)
    known = {work: one for work, one in leaves.items() if work and any(one)}
    if said != rest or {work: one for work, one in works.items() if any(one)} != known:
        raise BadInput("it is not the answer that was recorded")
    if fixed[0] != attribution:
        raise BadInput(f"it is the answer {_plain(fixed[0])}")
    for name in pack.lookups[attribution]:
        is_subject = name.startswith(subject_path(attribution, ""))
        if is_subject and pack.digests.get(name, ("",))[0] != fixed[2]:
            raise BadInput(f"{_plain(name)} is not the image that it is about")
    at = datetime.fromisoformat(vouched.entries[number]["at"] if number else fixed[1])
    place = f"entry {number} of the audit" if number else "as the pack itself says"
    pack.found.say("answer", f"{attribution}: recorded {at:%Y-%m-%dT%H:%M:%S} UTC, {place}")
    with pack.found.reading("arithmetic", workings_path(attribution)):
        _compute(pack, attribution, answer)


def _compute(pack: _Pack, attribution: str, recorded: Mapping[str, Any]) -> None:
    """Do the arithmetic of an answer again."""
    found, path = pack.found, workings_path(attribution)
    answer = read_answer(recorded)
    if path not in pack.archive.namelist():
        if answer.pins and answer.pins.workings:
            found.say("arithmetic", f"{attribution}: what it was computed from is not in the pack")
        return
    again = recompute(answer, pack.json(path))
    for figure in again.differing:
        found.fault("arithmetic", f"{attribution}: {_plain(figure.said)}")
    if again.is_right:
        found.say("arithmetic", f"{attribution}: {again.said}")
    pack.taken.update(again.taken)


def _removed(found: Verified, key: str, seal: commitments.Seal, vouched: _Vouched) -> None:
    """Say which parts of a record are gone, and by which receipts they went."""
    for leaf, one in seal.items():
        if "commitment" not in one or "receipt" not in one:
            continue
        part = f"{_plain(leaf)!r} of {key}"
        if (one["receipt"], key, leaf) in vouched.gone:
            found.say("removed", f"{part} was removed by the withdrawal {_plain(one['receipt'])}")
        else:
            found.fault("removed", f"{part} is gone without an entry that says so")


def _left_out(found: Verified, records: Mapping[str, Any]) -> None:
    """Say of how many records, by kind, the pack has commitments without what they are to."""
    kinds = Counter(
        key.partition(":")[0]
        for key, record in records.items()
        if any("commitment" in one and "receipt" not in one for one in record["seal"].values())
    )
    for kind, count in sorted(kinds.items()):
        records_of = f"{count:,} record{'s' if count > 1 else ''} of kind {_plain(kind)}"
        found.say("left out", f"of {records_of} a part is not in the pack; its commitment is")


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


def _plain(text: str) -> str:
    """Return a text of others with nothing that a terminal would act on."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[:300])
