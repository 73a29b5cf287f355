"""What is said of an image that was asked about: how it came here, what is kept of it, why it went.

The rows are in `attribution.catalogue.models.subjects`.
"""

from __future__ import annotations

from enum import StrEnum


class Kept(StrEnum):
    """What the file store has of an image."""

    IMAGE = "image"  # its bytes as they came
    ENCRYPTED = "encrypted"  # its bytes, by a key of the settings
    NOTHING = "nothing"


class Forgotten(StrEnum):
    """Why an image that was kept is not any more."""

    RETENTION = "retention"  # its time was over
    WITHDRAWAL = "withdrawal"  # it is a work that was withdrawn, or a copy of one
    REQUEST = "request"  # somebody said so
    LOST = "lost"  # its file is missing


class How(StrEnum):
    """Where the bytes of an image came from."""

    UPLOAD = "upload"  # sent to the API
    FILE = "file"  # read by the command line
    ARCHIVE = "archive"  # a member of an archive
    URL = "url"  # fetched
    WORK = "work"  # the kept original of a registered work
    GENERATED = "generated"  # drawn here
    AGAIN = "again"  # the image that is kept of an earlier question


class Purpose(StrEnum):
    """What a question about an image is for, as whoever asks says it."""

    PROVENANCE = "provenance"
    CLEARANCE = "clearance"
    CLAIM = "claim"
    MONITORING = "monitoring"
    TEST = "test"

    @property
    def is_about_copies(self) -> bool:
        """Whether a copy that is missed would be the wrong answer."""
        return self in {Purpose.CLEARANCE, Purpose.CLAIM, Purpose.MONITORING}
