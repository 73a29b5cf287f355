"""Which runtime computes a model's numbers fastest here, of those that may stand for float32."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from filelock import FileLock, Timeout
from PIL.Image import Image

from attribution.config import Settings
from attribution.encoders.encoder import Encoder
from attribution.encoders.profiles import find_profile, load_encoders
from attribution.encoders.runtimes import Runtime, possible
from attribution.encoders.spec import Spec
from attribution.encoders.tuned import Tuned
from attribution.encoders.weights import check_device
from attribution.errors import BadInput, Conflict
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
    alone: float = 1.0  # times as fast as float32 of torch in the same rounds
    batch: float = 1.0
    cosine: float = 0.0  # to float32 of torch: of the worst image in any space
    agreement: float = 0.0  # of the ten nearest with float32, in the worst space and direction
    refused: str = ""  # why it may not be used
    is_chosen: bool = False


def tune(
    settings: Settings, profile: str, images: Sequence[Image], progress: Progress
) -> list[Trial]:
    """Try every runtime with every model of a profile, and keep the fastest that is right.

    A runtime is right whose vectors are, on every image, within LEAST_COSINE of those by float32,
    and give the same neighbours for LEAST_AGREEMENT of the ten nearest, asked of float32 and asked
    by it: a question by one machine is asked of works by another. It is chosen if batches are PAYS
    times as fast, and a lone image is not slower. Programs that run already go on as they began.

    Raises BadInput for fewer than FEWEST images, a device that is not there, and a home that cannot
    be written to; Conflict while another process tunes there; and what loading raises.
    """
    if len(images) < FEWEST:
        raise BadInput(f"tuning needs {FEWEST} images or more, got {len(images)}")
    load_encoders(settings, profile)  # its licences are accepted
    specs = [spec for spec in find_profile(settings, profile).encoders if spec.has_runtimes]
    if not specs:
        raise BadInput(f"profile {profile!r} has no model that could be tuned")
    check_device(settings.device)
    tuned = Tuned(settings.home, settings.device)
    try:
        tuned.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(tuned.folder / ".lock", timeout=0):
            return _tune(specs, tuned, images, progress)
    except Timeout:
        raise Conflict(f"another process tunes in {tuned.folder}; wait for it to end") from None
    except OSError as error:
        raise BadInput(
            f"{tuned.folder} cannot be written ({error.strerror}); LAWFUL_HOME names another place"
        ) from None


def _tune(
    specs: Sequence[Spec], tuned: Tuned, images: Sequence[Image], progress: Progress
) -> list[Trial]:
    runtimes = possible(tuned.device)
    trials: list[Trial] = []
    for number, spec in enumerate(specs):
        own: list[Trial] = []
        for trial in _trials(spec, tuned, runtimes, images):
            own.append(trial)
            progress(spec.name, number * len(runtimes) + len(own), len(specs) * len(runtimes))
        best = fastest(own)
        tuned.keep(best.key, best.runtime, best.model)
        trials += [replace(one, is_chosen=one is best) for one in own]
    return trials


def _trials(
    spec: Spec, tuned: Tuned, runtimes: Sequence[Runtime], images: Sequence[Image]
) -> Iterator[Trial]:
    """Try runtimes one after the other next to torch's float32, so that two models are held."""
    usual = spec.encoder(tuned.device)
    key = spec.key(usual.info.revision)
    tuned.forget(key)
    exact = _encoded(usual, images)
    [(alone, batch)] = _rates([usual], images)
    yield Trial(spec.name, key, Runtime.TORCH, alone, batch, cosine=1.0, agreement=1.0)
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
                (alone_then, batch_then), (alone, batch) = _rates([usual, encoder], images)
                trial = replace(
                    trial,
                    alone_per_s=alone,
                    batch_per_s=batch,
                    alone=alone / alone_then,
                    batch=batch / batch_then,
                )
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
        one for one in others if not one.refused and one.batch >= PAYS and one.alone >= 1 / PAYS
    ]
    return max(faster, key=lambda one: one.batch, default=usual)


def _encoded(encoder: Encoder, images: Sequence[Image]) -> dict[str, Matrix]:
    parts = [
        encoder.encode(images[start : start + AT_ONCE]) for start in range(0, len(images), AT_ONCE)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _agreement(found: Matrix, exact: Matrix) -> float:
    """Return which part of the ten nearest of an image are the same ones, the worse way round."""
    if not np.isfinite(found).all():
        return float("nan")
    usual = _nearest(exact, exact)
    return min(
        float(np.mean([len(set(a) & set(b)) for a, b in zip(own, usual, strict=True)])) / NEAREST
        for own in (_nearest(found, exact), _nearest(exact, found))
    )


def _nearest(asked: Matrix, works: Matrix) -> list[list[int]]:
    scores = asked @ works.T
    np.fill_diagonal(scores, -np.inf)  # an image itself is no neighbour
    nearest: list[list[int]] = np.argsort(-scores, axis=1, kind="stable")[:, :NEAREST].tolist()
    return nearest


def _rates(encoders: Sequence[Encoder], images: Sequence[Image]) -> list[tuple[float, float]]:
    """Return images a second of each, one at a time and in batches."""
    few, many = images[:8], images[:AT_ONCE]
    alone, batch = _seconds(encoders, [[one] for one in few]), _seconds(encoders, [many])
    return [(len(few) / a, len(many) / b) for a, b in zip(alone, batch, strict=True)]


def _seconds(encoders: Sequence[Encoder], parts: Sequence[Sequence[Image]]) -> list[float]:
    """Return the seconds of each one's fastest round; by turns, as whatever else runs disturbs."""
    rounds: list[list[float]] = []
    while len(rounds) < ROUNDS and sum(map(sum, rounds)) < LONGEST_S:
        rounds.append([_timed(encoder, parts) for encoder in encoders])
    return [min(own) for own in zip(*rounds, strict=True)]


def _timed(encoder: Encoder, parts: Sequence[Sequence[Image]]) -> float:
    started = time.perf_counter()
    for part in parts:
        encoder.encode(part)
    return time.perf_counter() - started
