"""Which runtime computes a model's numbers fastest here, of those that may stand for float32."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from PIL.Image import Image

from attribution.config import Settings
from attribution.encoders.encoder import Encoder
from attribution.encoders.profiles import find_profile
from attribution.encoders.runtimes import Runtime, possible
from attribution.encoders.spec import Spec
from attribution.encoders.tuned import Tuned
from attribution.errors import BadInput
from attribution.types import Matrix

log = logging.getLogger(__name__)

LEAST_COSINE = 0.9995  # of the worst image, in each space
LEAST_AGREEMENT = 0.995  # of the ten nearest
NEAREST = 10
FEWEST = 32  # images
AT_ONCE = 32  # images of a batch
ROUNDS = 5
LONGEST_S = 5.0  # of all rounds of one kind, where models are slow
PAYS = 1.05  # times as fast; less is noise

Progress: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Trial:
    """How one runtime did with one model; no numbers where it does not run."""

    model: str
    key: str  # see `Spec.key`
    runtime: Runtime
    alone_per_s: float = 0.0  # images, one at a time
    batch_per_s: float = 0.0  # images, in batches of AT_ONCE
    cosine: float = 0.0  # to float32 of torch: of the worst image in any space
    agreement: float = 0.0  # of the ten nearest with those by float32, in the worst space
    refused: str = ""  # why it may not be used
    is_chosen: bool = False


def tune(
    settings: Settings, profile: str, images: Sequence[Image], progress: Progress
) -> list[Trial]:
    """Try every runtime with every model of a profile, and keep the fastest that is right.

    A runtime is right whose vectors are, on every image, within LEAST_COSINE of those by float32,
    and find the same neighbours among them for LEAST_AGREEMENT of the ten nearest: a question by
    one machine is asked of works by another. It is chosen if batches are PAYS times as fast, and a
    lone image is not slower. Programs that run already go on as they began.

    Raises BadInput for fewer than FEWEST images, and what loading raises.
    """
    if len(images) < FEWEST:
        raise BadInput(f"tuning needs {FEWEST} images or more, got {len(images)}")
    tuned = Tuned(settings.home, settings.device)
    specs = [spec for spec in find_profile(settings, profile).encoders if spec.has_runtimes]
    runtimes = possible(settings.device)
    trials: list[Trial] = []
    for number, spec in enumerate(specs):
        own: list[Trial] = []
        for trial in _trials(spec, tuned, runtimes, images):
            own.append(trial)
            progress(spec.name, number * len(runtimes) + len(own), len(specs) * len(runtimes))
        best = fastest(own)
        tuned.keep(best.key, best.runtime)
        trials += [replace(one, is_chosen=one is best) for one in own]
    return trials


def _trials(
    spec: Spec, tuned: Tuned, runtimes: Sequence[Runtime], images: Sequence[Image]
) -> Iterator[Trial]:
    """Try runtimes one after the other, so that one copy of the model is held; torch's first."""
    encoder = spec.encoder(tuned.device, replace(tuned, tried=Runtime.TORCH))
    key = spec.key(encoder.info.revision)
    tuned.forget(key)
    exact = _encoded(encoder, images)
    yield Trial(spec.name, key, Runtime.TORCH, *_rates(encoder, images), 1.0, 1.0)
    for runtime in runtimes[1:]:
        encoder = spec.encoder(tuned.device, replace(tuned, tried=runtime))
        trial = Trial(spec.name, key, runtime)
        try:
            found = _encoded(encoder, images)
            trial = replace(
                trial,
                cosine=min(float((found[one] * exact[one]).sum(1).min()) for one in exact),
                agreement=min(_agreement(found[one], exact[one]) for one in exact),
            )
            trial = replace(trial, refused=_refusal(trial))
            if not trial.refused:
                alone, batch = _rates(encoder, images)
                trial = replace(trial, alone_per_s=alone, batch_per_s=batch)
        except Exception as error:
            log.debug("%s by %s", spec.name, runtime, exc_info=True)
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            trial = replace(trial, refused=f"does not run: {first[:200]}")
        yield trial


def _refusal(trial: Trial) -> str:
    if not trial.cosine >= LEAST_COSINE:  # also of NaN
        return f"cosine below {LEAST_COSINE}"
    if not trial.agreement >= LEAST_AGREEMENT:
        return f"neighbours below {LEAST_AGREEMENT:.1%}"
    return ""


def fastest(trials: Sequence[Trial]) -> Trial:
    """Return what is to be used, of trials with one model; the first is torch's float32."""
    usual, *others = trials
    faster = [
        one
        for one in others
        if not one.refused
        and one.batch_per_s >= PAYS * usual.batch_per_s
        and one.alone_per_s >= usual.alone_per_s
    ]
    return max(faster, key=lambda one: one.batch_per_s, default=usual)


def _encoded(encoder: Encoder, images: Sequence[Image]) -> dict[str, Matrix]:
    parts = [
        encoder.encode(images[start : start + AT_ONCE]) for start in range(0, len(images), AT_ONCE)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _agreement(found: Matrix, exact: Matrix) -> float:
    """Return which part of the ten nearest of every image are the same ones."""
    if not np.isfinite(found).all():
        return float("nan")
    nearest = []
    for rows in (found, exact):
        scores = rows @ exact.T
        np.fill_diagonal(scores, -np.inf)  # an image itself is no neighbour
        nearest.append(np.argsort(-scores, axis=1, kind="stable")[:, :NEAREST])
    same = [len(set(a) & set(b)) for a, b in zip(*map(np.ndarray.tolist, nearest), strict=True)]
    return float(np.mean(same)) / NEAREST


def _rates(encoder: Encoder, images: Sequence[Image]) -> tuple[float, float]:
    """Return images a second, one at a time and in batches."""
    few, many = images[:8], images[:AT_ONCE]
    alone = _fastest(lambda: [encoder.encode([one]) for one in few])
    return len(few) / alone, len(many) / _fastest(lambda: encoder.encode(many))


def _fastest(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest round: whatever else runs makes the others slower."""
    seconds: list[float] = []
    while len(seconds) < ROUNDS and sum(seconds) < LONGEST_S:
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
