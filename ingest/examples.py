"""What a classifier is trained on, gathered: from the catalogue, a folder or a dataset.

From the catalogue every indexed work whose consent grants training, by its kept vectors. From
outside, naming a folder or dataset is saying that its works may train; left out is what says no
itself (`consent_train: no`, a data-mining opt-out in the file) and what was withdrawn here.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal
from uuid import UUID

import numpy as np

from attribution.catalogue import queries
from attribution.catalogue.database import snapshot
from attribution.catalogue.models import ArtworkStatus, artwork_id
from attribution.catalogue.nobody import is_nobody
from attribution.collection import Stores
from attribution.encoders.encoder import voting
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.profiles import load_encoders
from attribution.errors import BackendUnavailable, BadImage, BadInput, Hint, NotFound, Way
from attribution.images import CheckedImage, lineages, read_file, read_forbids, read_image
from attribution.laboratory.works import Indexed, Progress
from attribution.training.cache import CACHE, Cache, Encoded
from attribution.training.checkpoint import own_folder
from ingest.datasets import DatasetOptions, is_dataset, read_dataset
from ingest.lessons import SAYS_NO, UNUSABLE, judged
from ingest.sources import GRANTED_BY_DEFAULT, read_source

log = logging.getLogger(__name__)

CATALOGUE = "catalogue"
PAGE = 1_000  # rows of the catalogue at a time
WITHDRAWN, CLOSED = "withdrawn here", "by an artist who has withdrawn here"
NOT_GRANTED, NO_VECTORS = "consent does not grant training", "no kept vectors"
TWICE, NOBODYS = "the same file twice", "by nobody in particular"


@dataclass(frozen=True)
class Gathered:
    """Works by artists 0 … n-1, who are called `labels`: ids of the catalogue, or names."""

    works: Indexed
    ids: tuple[UUID, ...]  # of the works, by their bytes
    labels: tuple[str, ...]
    named_by: Literal["id", "name"]
    profile: str
    fingerprint: str
    left_out: dict[str, int]


@dataclass
class _Basket:
    """Works as they come in."""

    files: list[Encoded] = field(default_factory=list)
    ids: list[UUID] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    known: set[UUID] = field(default_factory=set)

    def add(self, file: Encoded, work: UUID, label: str) -> None:
        self.known.add(work)
        self.files.append(file)
        self.ids.append(work)
        self.labels.append(label)


@dataclass(frozen=True)
class _Source:
    """One picture from outside: who made it, and how to get its bytes."""

    artist: str
    read: Callable[[], bytes]


def gather(
    stores: Stores, data: str, options: DatasetOptions, limit: int | None, progress: Progress
) -> Gathered:
    """Gather at most `limit` works, encoding what is not encoded yet.

    `data` is "catalogue", a folder or manifest as `lawful ingest` takes it, or a dataset. Raises
    BadInput where no work may train, NotFound for what does not exist.
    """
    if data == CATALOGUE:
        return _from_catalogue(stores, limit, progress)
    basket = _Basket()
    encoders = load_encoders(stores.settings)
    made_by = encoders.fingerprint
    cache = Cache(own_folder(stores.settings.trained) / CACHE / made_by[:12])
    sources = _sources(stores, data, options, basket)
    while few := list(islice(sources, stores.settings.batch_size)):
        _take(stores, few, encoders, cache, basket)
        progress("encoding", len(basket.files), limit or 0)
        if limit is not None and len(basket.files) >= limit:
            break
    return _gathered(
        basket, limit, data, "name", (stores.settings.profile, made_by), encoders.lanes
    )


def _from_catalogue(stores: Stores, limit: int | None, progress: Progress) -> Gathered:
    basket, after = _Basket(), None
    with snapshot(stores.sessions) as session:
        live = queries.live_collection(session)
        if live is None:
            raise NotFound("there is no collection yet", hint=Hint(Way.INGEST))
        if refusing := queries.refusing_works(session):
            basket.left_out[NOT_GRANTED] = refusing
        if nobodys := queries.nobodys_works(session):
            basket.left_out[NOBODYS] = nobodys
        while page := queries.training_works(session, after=after, limit=PAGE):
            after = page[-1].id
            kept = queries.kept_vectors(
                session, live.fingerprint, [work.id for work in page], live.dims
            )
            for work in page:
                if work.id not in kept:
                    basket.left_out[NO_VECTORS] += 1
                    continue
                file = Encoded("", int(work.phash, 16), kept[work.id])
                basket.add(file, work.id, str(work.artist_id))
            progress("reading", len(basket.files), 0)
            if limit is not None and len(basket.files) >= limit:
                break
    return _gathered(basket, limit, CATALOGUE, "id", (live.profile, live.fingerprint), live.lanes)


def _sources(
    stores: Stores, data: str, options: DatasetOptions, basket: _Basket
) -> Iterator[_Source]:
    """Yield what may train as far as the source tells."""
    if is_dataset(data):
        for picture in read_dataset(data, options):
            if not picture.may("train"):
                basket.left_out[SAYS_NO] += 1
                continue
            yield _Source(picture.artist, partial(bytes, picture.data))
        return
    for item, because in judged(read_source(Path(data), granted=(*GRANTED_BY_DEFAULT, "train"))):
        if because is not None:
            basket.left_out[because] += 1
        elif is_nobody(item.artist):
            basket.left_out[NOBODYS] += 1
        else:
            yield _Source(item.artist, partial(read_file, item.path, stores.limits))


def _take(
    stores: Stores,
    few: Sequence[_Source],
    encoders: EncoderSet,
    cache: Cache,
    basket: _Basket,
) -> None:
    """Read some pictures, encode those that are new, and put those that may train in the basket.

    A picture that says no itself is not encoded either.
    """
    artists: dict[str, str] = {}
    fresh: list[CheckedImage] = []
    for source in few:
        try:
            data = source.read()
            sha256 = hashlib.sha256(data).hexdigest()
            if sha256 in artists or artwork_id(sha256) in basket.known:
                basket.left_out[TWICE] += 1
                continue
            if "train" in read_forbids(data, stores.limits):  # also of what was encoded before
                basket.left_out[SAYS_NO] += 1
                continue
            if cache.get(sha256) is None:
                fresh.append(read_image(data, stores.limits))
            artists[sha256] = source.artist
        except (BadImage, NotFound):
            basket.left_out[UNUSABLE] += 1
    _encode(encoders, fresh, cache)
    with stores.sessions() as session:
        gone = queries.artworks_by_sha256(session, artists, status=ArtworkStatus.WITHDRAWN)
        withdrawn = {row.sha256 for row in gone}
        closed = queries.closed_artists(session, set(artists.values()))
    for sha256, artist in artists.items():
        file = cache.get(sha256)
        if file is None:
            basket.left_out[UNUSABLE] += 1
        elif sha256 in withdrawn:
            basket.left_out[WITHDRAWN] += 1
        elif artist in closed:
            basket.left_out[CLOSED] += 1
        else:
            basket.add(file, artwork_id(sha256), artist)


def _encode(encoders: EncoderSet, images: Sequence[CheckedImage], cache: Cache) -> None:
    """Encode pictures into the cache, one by one where several fail: one alone is to blame."""
    if not images:
        return
    try:
        vectors = encoders.encode([image.rgb for image in images])
    except (BackendUnavailable, MemoryError):
        raise
    except Exception:
        if len(images) > 1:
            for image in images:
                _encode(encoders, [image], cache)
            return
        log.warning("%s cannot be encoded", images[0].facts.sha256, exc_info=True)
        return
    cache.add(
        [
            Encoded(
                image.facts.sha256,
                int(image.facts.phash, 16),
                {space: rows[number] for space, rows in vectors.items()},
            )
            for number, image in enumerate(images)
        ]
    )


def _gathered(
    basket: _Basket,
    limit: int | None,
    data: str,
    named_by: Literal["id", "name"],
    profile: tuple[str, str],
    lanes: Mapping[str, str],
) -> Gathered:
    files, ids, names = basket.files[:limit], basket.ids[:limit], basket.labels[:limit]
    if not files:
        reasons = "; ".join(f"{count}: {why}" for why, count in basket.left_out.items())
        raise BadInput(f"no work of {data} may train ({reasons or 'it is empty'})")
    labels, artist = np.unique(names, return_inverse=True)
    vectors = {space: np.stack([file.vectors[space] for file in files]) for space in voting(lanes)}
    group = lineages(np.array([file.phash for file in files], np.uint64)[:, None])
    works = Indexed(vectors, artist.astype(np.int64), group, lanes)
    left_out = dict(basket.left_out)
    return Gathered(works, tuple(ids), tuple(labels.tolist()), named_by, *profile, left_out)
