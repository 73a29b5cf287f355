"""A portion becomes a shard: its files are read, looked at and encoded, as `lawful ingest` does it.

What is known of them already is not asked: whoever loads the shard does.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from attribution.catalogue.models import DEATHS_ALONE
from attribution.collection import image_limits
from attribution.config import Settings
from attribution.encoders.encoder import space_of_parts
from attribution.encoders.encoder_set import EncoderSet
from attribution.errors import BadImage, ModelUnavailable, NotFetched, NotFound
from attribution.temporary import temporary_folder
from attribution.threads import Threads
from attribution.whole import written_whole
from ingest.bulk.portions import Entry, Portion, entries_of
from ingest.bulk.rows import Row
from ingest.bulk.shards import Made, write_shard
from ingest.encoding import Encoded, encode
from ingest.fetching import Fetcher
from ingest.loading import DECODERS, Loaded, load_file
from ingest.picture import Looked
from ingest.reading import DEADLY, unprocessable
from ingest.uploads import limits_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Count:
    """How many files a shard has, and how many of them show nothing that can be used."""

    files: int
    refused: int


class Encoder:
    """Makes shards in a folder, one after another; its models are loaded once."""

    def __init__(
        self,
        settings: Settings,
        encoders: EncoderSet,
        folder: Path,
        *,
        artist: str | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        self._settings, self._encoders, self._folder = settings, encoders, folder
        self._artist, self._limits = artist, image_limits(settings)
        self._fetcher = fetcher or Fetcher(self._limits.max_bytes)
        self.made = made_by(encoders)

    def make(self, portion: Portion) -> Count:
        """Make the shard of a portion, whole or not at all; raises OSError, ModelUnavailable."""
        hand = _Hand(self._folder / f".{portion.name}.hand")
        with temporary_folder(self._folder) as unpacked:
            entries = portion.entries
            if portion.packed is not None:
                limits = limits_of(self._settings, self._limits)
                entries = list(entries_of(portion.packed, unpacked, self._artist, limits))
            rows = list(self._rows(entries, hand))
        write_shard(self._folder / portion.name, rows, self.made)
        hand.open()
        return Count(len(rows), sum(bool(row.fault or row.item.refused) for row in rows))

    def _rows(self, entries: Sequence[Entry], hand: _Hand) -> Iterator[Row]:
        size = 1 if hand.is_careful else self._settings.batch_size
        with Threads(DECODERS) as threads:
            for first in range(0, len(entries), size):
                few = entries[first : first + size]
                if hand.is_careful:
                    hand.hold(first)
                is_deadly = [number in hand.deadly for number in range(first, first + len(few))]
                seen = list(threads.map(self._seen, few, is_deadly))
                encoded = self._encoded(seen)
                for row, looked in seen:
                    yield _row(row, looked, encoded)

    def _seen(self, entry: Entry, is_deadly: bool) -> tuple[Row, Looked | None]:  # noqa: FBT001  a fact
        """Read and look at a file; of one that may not be found nothing but its hash is kept."""
        item = entry.item if entry.shown is None else replace(entry.item, path=Path(entry.shown))
        if item.is_lost:
            return Row(item), None
        if is_deadly:
            return Row(item, fault=DEADLY), None
        file = self._loaded(entry)
        row = Row(item, file.sha256)
        if item.refused or "index" not in item.consent:
            return row, None
        try:
            looked = file.look(self._limits)
        except (BadImage, NotFound) as error:
            return replace(row, fault=str(error)), None
        except Exception as error:
            log.warning("%s", item.path, exc_info=True)
            return replace(row, fault=unprocessable(error)), None
        original = file.data if self._settings.keep_originals else b""
        return replace(row, looked=looked, original=original), looked

    def _loaded(self, entry: Entry) -> Loaded:
        if entry.url is None:
            return load_file(entry.item.path, self._limits)
        try:
            data = self._fetcher.fetch(entry.url).data
        except NotFetched as error:
            return Loaded(error=BadImage("not_fetched", str(error)))
        return Loaded(data, hashlib.sha256(data).hexdigest())

    def _encoded(self, seen: Sequence[tuple[Row, Looked | None]]) -> Mapping[str, Encoded | str]:
        """Encode what was seen together, or one by one where that fails: the result, or why none.

        By the hash of the file.
        """
        images = {one.picture.sha256: one for _, one in seen if one and one.image}
        try:
            together = self._encode(list(images.values()))
        except ModelUnavailable:
            raise
        except Exception:
            log.warning("some files failed together, now one by one", exc_info=True)
            return {sha256: self._alone(one) for sha256, one in images.items()}
        return dict.fromkeys(images, together)

    def _alone(self, looked: Looked) -> Encoded | str:
        try:
            return self._encode([looked])
        except ModelUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, this file is to blame
            return unprocessable(error)

    def _encode(self, few: Sequence[Looked]) -> Encoded:
        return encode(
            self._encoders,
            [one.image for one in few if one.image and not one.picture.is_blank],
            [one.image for one in few if one.image and len(one.sketches) > 1],
        )


@dataclass
class _Hand:
    """What is in hand, so that it is known which file has ended the process that read it.

    A portion that was begun before and not finished is done one file at a time.
    """

    path: Path
    deadly: set[int] = field(default_factory=set)
    is_careful: bool = False
    _suspect: int | None = field(default=None, init=False)  # alone when the process before ended
    _deaths: int = field(default=0, init=False)  # of processes that read it alone

    def __post_init__(self) -> None:
        if self.path.is_file():
            self.is_careful = True
            said = json.loads(self.path.read_text(encoding="utf-8"))
            self.deadly, self._suspect = set(said["deadly"]), said["alone"]
            if self._suspect is not None:
                self._deaths = said.get("deaths", 0) + 1  # an earlier version did not count
                if self._deaths >= DEATHS_ALONE:
                    self.deadly.add(self._suspect)
        self.hold(None)

    def hold(self, number: int | None) -> None:
        """Note which file is about to be read alone."""
        with written_whole(self.path) as new:
            deaths = self._deaths if number == self._suspect else 0
            said = {"alone": number, "deaths": deaths, "deadly": sorted(self.deadly)}
            new.write_text(json.dumps(said), encoding="utf-8")

    def open(self) -> None:
        """Nothing is in hand any more."""
        self.path.unlink(missing_ok=True)


def made_by(encoders: EncoderSet) -> Made:
    """Return what shards say of the encoders that made their vectors."""
    return Made(encoders.fingerprint, encoders.dims, space_of_parts(encoders.lanes))


def _row(row: Row, looked: Looked | None, encoded: Mapping[str, Encoded | str]) -> Row:
    if looked is None:
        return row
    sha256 = looked.picture.sha256
    made = encoded[sha256]
    if isinstance(made, str):
        return replace(row, looked=None, fault=made)
    vectors, parts = made.vectors.get(sha256, {}), made.parts.get(sha256)
    return replace(row, looked=replace(looked, image=None), vectors=vectors, parts=parts)
