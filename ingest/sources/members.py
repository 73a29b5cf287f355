"""What an archive holds, whatever its kind, and what one may cost."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from dataclasses import dataclass
from typing import Protocol

from attribution.errors import TooLarge

DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)
MOST_FILES = "LAWFUL_MAX_ARCHIVE_FILES"


class Content(Protocol):
    """The bytes of a member, from its beginning on."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes; none at the end."""
        ...


@dataclass(frozen=True)
class Member:
    """One entry of an archive; `refusal` says why it is not to be read, a folder needs none."""

    name: str
    content: Content | None
    refusal: str | None = None
    is_folder: bool = False


@dataclass(frozen=True)
class UnpackLimits:
    """What one archive may cost."""

    max_files: int  # folders, links and whatever else it lists are counted too
    max_member_bytes: int
    max_total_bytes: int  # unpacked, of all members

    def too_many(self) -> TooLarge:
        """Return the error for an archive with too many entries."""
        return TooLarge(
            f"the archive has more than {self.max_files} files and folders; split it, "
            f"or raise {MOST_FILES}"
        )

    def too_large(self) -> TooLarge:
        """Return the error for an archive that unpacks to too much."""
        return TooLarge(
            f"the archive unpacks to more than {self.max_total_bytes / 2**20:.0f} MiB; split it, "
            f"or raise LAWFUL_MAX_ARCHIVE_MB"
        )
