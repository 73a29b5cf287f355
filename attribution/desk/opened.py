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
from typing import Any
from zipfile import BadZipFile, ZipFile

import rfc8785
from cryptography import x509

from attribution.desk.archive import LOOKUPS
from attribution.errors import BadInput

LARGEST_PIECE = 64 << 20  # bytes read at once: a file of JSON
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


def plain(text: str) -> str:
    """Return a text of others with nothing that a terminal would act on."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[:300])
