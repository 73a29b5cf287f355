"""A pack that is read: its files, digested and bounded, and what was found of them.

A pack comes from strangers. Whatever is wrong becomes a finding with the name of the file.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from zipfile import BadZipFile, ZipFile

import rfc8785
from cryptography import x509

from attribution.desk.archive import BYTES_A_VALUE, FEW_VALUES, LARGEST_JSON, LOOKUPS
from attribution.errors import BadInput

LARGEST_TEXT = 1 << 20  # bytes of what is no JSON: signatures, certificates
MOST_NAMED = 1_000  # findings of a kind; the others are counted
LONGEST = 1_000  # characters of a finding
PIECE = 1 << 20
UNREADABLE = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError),
    *(ValueError, x509.InvalidVersion),
)


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
    counted: Counter[tuple[str, bool]] = field(default_factory=Counter)  # of what, and is wrong

    @property
    def is_intact(self) -> bool:
        """Whether nothing is wrong."""
        return not any(is_wrong for _, is_wrong in self.counted)

    def say(self, about: str, said: str) -> None:
        """Note what is as it should be."""
        self._note(about, said, is_wrong=False)

    def fault(self, about: str, said: str) -> None:
        """Note what is wrong."""
        self._note(about, said, is_wrong=True)

    def count_the_rest(self) -> None:
        """Say how many findings are not named."""
        for (about, is_wrong), count in self.counted.items():
            if count > MOST_NAMED:
                said = f"and {count - MOST_NAMED:,} more of this kind"
                self.findings.append(Finding(about, said, is_wrong))

    def _note(self, about: str, said: str, *, is_wrong: bool) -> None:
        self.counted[about, is_wrong] += 1
        if self.counted[about, is_wrong] <= MOST_NAMED:
            cut = said if len(said) <= LONGEST else f"{said[:LONGEST]}…"
            self.findings.append(Finding(about, cut, is_wrong))

    @contextmanager
    def reading(self, about: str, what: str) -> Iterator[None]:
        """Take whatever a file raises that is none of ours as a fault."""
        try:
            yield
        except BadInput as error:
            self.fault(about, f"{what}: {error}")
        except UNREADABLE as error:
            self.fault(about, f"{what} is not as this program writes it ({type(error).__name__})")


@dataclass
class Pack:
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

    @cached_property
    def names(self) -> frozenset[str]:
        """The paths of all files."""
        return frozenset(self.archive.namelist())

    def text(self, path: str, most: int = LARGEST_TEXT) -> bytes:
        """Return a file to be looked into, of so many bytes at most; raises BadInput."""
        if path not in self.digests:
            raise BadInput("its bytes were changed" if path in self.names else "it is missing")
        size = self.digests[path][1]
        if size > most:
            raise BadInput(f"it has {size:,} bytes, more than the {most:,} that this program reads")
        return self.archive.read(path)

    def json(self, path: str) -> Any:
        """Return what a file of canonical JSON says; raises BadInput, ValueError.

        A value of two bytes takes a hundred in memory: what has far more values for its size than
        this program writes is not parsed.
        """
        data = self.text(path, LARGEST_JSON)
        values = sum(map(data.count, (b"[", b"{", b",")))
        most = FEW_VALUES + len(data) // BYTES_A_VALUE
        if values > most:
            raise BadInput(
                f"it has {values:,} values in {len(data):,} bytes, more than the {most:,} that "
                f"this program reads"
            )
        said = json.loads(data)
        if rfc8785.dumps(said) != data:
            raise BadInput("it is not canonical JSON (RFC 8785)")
        return said


def plain(text: str) -> str:
    """Return a text of others with nothing that a terminal would act on."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[:300])
