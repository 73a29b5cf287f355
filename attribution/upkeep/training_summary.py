"""What the models of this installation were trained on, as far as it is known here.

Counted, and read from what a training writes about itself; what other people's models were trained
on is for their authors to say.
"""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from threading import Lock
from typing import Any

from sqlalchemy.orm import Session

from attribution import tenants
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.queries import Licensed, Registered
from attribution.collection import Stores
from attribution.encoders.profiles import STARTER, known_profiles
from attribution.training.checkpoint import own_folder, read_facts

EVERY_S = 600.0  # between two times that all works are counted for those who ask over HTTP
BUNDLED = "starter"
LIBRARY = "Open Clip Art Library 0.18"
CATALOGUE = "the works registered here"
DOMAIN = "public domain"
STARTERS = (  # name, what its training wrote, what went in besides works
    (
        "starter CLIP",
        "curves-clip.json",
        "ImageNet (its trunk knows it), WordNet, GloVe",
    ),
    ("starter VAE", "curves-vae.json", None),
)


@dataclass(frozen=True)
class TrainedModel:
    """A model, and what it was trained on."""

    name: str
    data: str  # where the works come from
    works: int
    artists: int
    made_at: str | None = None  # ISO 8601; None: with the package, or at every change
    licence: str | None = None  # of all works, where they have one
    also: str | None = None  # what went in besides works
    left_out: Mapping[str, int] = field(default_factory=dict)  # reason -> works


@dataclass(frozen=True)
class ForeignModel:
    """A model that others have trained."""

    name: str
    licence: str | None  # of its weights; None: its card says it


@dataclass(frozen=True)
class TrainingSummary:
    """What was trained on what."""

    counted_at: datetime
    models: Sequence[TrainedModel]
    foreign: Sequence[ForeignModel]
    registered: Registered
    licences: Sequence[Licensed]  # of the registered works
    denials: Mapping[str, int]  # statements that deny training, by where they were made
    withdrawn: int  # works


def summarise(stores: Stores) -> TrainingSummary:
    """Sum up what the models here were trained on; raises BadInput for a torn classifier."""
    with stores.sessions() as session:
        found = queries.registered(session)
        return TrainingSummary(
            counted_at=now(),
            models=[*_own(stores, session, found), *_bundled(stores)],
            foreign=list(_foreign(stores)),
            registered=found,
            licences=queries.works_by_licence(session),
            denials=queries.training_denials(session),
            withdrawn=queries.withdrawn_works(session),
        )


class Summaries:
    """The summaries that were made last, by tenant.

    A summary counts every work, so one is made again after EVERY_S seconds, however often it is
    asked for; it says when it was made.
    """

    def __init__(self) -> None:
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._made: dict[str, tuple[float, TrainingSummary]] = {}  # until when, and what

    def last(self, stores: Stores) -> TrainingSummary:
        """Return the tenant's; raises BadInput for a torn classifier."""
        tenant = tenants.current()
        with self._locks[tenant]:  # who asks meanwhile waits for it, and counts nothing
            until, made = self._made.get(tenant, (-math.inf, None))
            if made is None or time.monotonic() >= until:
                made = summarise(stores)
                self._made[tenant] = time.monotonic() + EVERY_S, made
            return made


def _own(stores: Stores, session: Session, found: Registered) -> Iterator[TrainedModel]:
    """Yield what is learned from works here: sums, the meaning of votes, the trained classifier."""
    yield TrainedModel("classifier of the votes", CATALOGUE, found.works, found.artists)
    live = queries.live_collection(session)
    kept = queries.calibration_of(session, live.fingerprint) if live else None
    if kept is not None and kept.numbers:
        at = kept.made_at.isoformat()
        yield TrainedModel("calibration", CATALOGUE, kept.asked, kept.artists, at)
    if facts := read_facts(own_folder(stores.settings.trained)):
        yield TrainedModel(
            name="trained classifier",
            data=CATALOGUE if facts.named_by == "id" else _named(facts.data),
            works=len(facts.works),
            artists=len(facts.artists),
            made_at=facts.created_at,
            left_out=facts.left_out,
        )


def _bundled(stores: Stores) -> Iterator[TrainedModel]:
    """Yield those models of the package that are in use."""
    settings = stores.settings
    if settings.profile == BUNDLED:
        artists = len(_read("partition.json")["train"])
        for name, curve, also in STARTERS:
            works = _read(curve)["works"]
            yield TrainedModel(name, LIBRARY, works, artists, licence=DOMAIN, also=also)
    if settings.generator == BUNDLED:
        lessons = _read("generator/training_set.json")["works"]
        artists = len({one["artist"] for one in lessons})
        yield TrainedModel("starter generator", LIBRARY, len(lessons), artists, licence=DOMAIN)


def _foreign(stores: Stores) -> Iterator[ForeignModel]:
    """Yield the encoders and the generator that others have trained."""
    settings = stores.settings
    profile = known_profiles(settings).get(settings.profile)
    if profile is not None and settings.profile != BUNDLED:
        for spec in profile.encoders:
            yield ForeignModel(spec.name, spec.license)
    for model in (settings.generator, settings.generator_lora):
        if model not in ("", BUNDLED, "stub"):
            yield ForeignModel(model, None)


def _named(data: str) -> str:
    """Return what works from outside are called: no path of this machine gets into a summary."""
    return f"works from outside, “{PurePath(data).name}”"


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STARTER / name).read_text(encoding="utf-8"))
    return found
