"""Portions are encoded by many workers, as a job of Ray Data: on this machine, or on a cluster.

A shard that is there is never made again, so a job that was interrupted goes on by being started
again. Ray is imported in here and nowhere else.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from attribution.config import Settings
from attribution.encoders.profiles import load_encoders
from attribution.errors import BadInput, LawfulError
from attribution.temporary import TEMPORARY
from attribution.whole import forget_unfinished
from ingest.bulk.encoder import Count, Encoder, made_by
from ingest.bulk.portions import Portion, divide
from ingest.bulk.shards import write_list
from ingest.options import Reading

MISSING = "lawful bulk needs Ray: pip install 'lawful-diffusion[bulk]'"
OBJECTS_BYTES = 100_000_000  # shared by the workers: paths and counts, no pictures
SERVERS = ("database_url", "qdrant_url", "broker_url", "storage_url")  # may hold passwords
SHARDS = "[0-9]*-*.parquet"


def make_shards(
    settings: Settings,
    source: Path,
    folder: Path,
    reading: Reading,
    workers: Workers,
    tell: Callable[[int, int, Count], None],
) -> None:
    """Encode a source into a folder; `tell` how many shards there are of how many, and of the last.

    Raises BadInput for a source that cannot be read, and where Ray is not installed; LawfulError
    where workers fail: the shards so far stay.
    """
    made = made_by(load_encoders(settings))
    stamp = f"{made.fingerprint}{settings.keep_originals}"
    divided = divide(source.resolve(), reading, stamp)
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    names = [portion.name for portion in divided.portions]
    waiting = [one for one in divided.portions if not (folder / one.name).is_file()]
    done = len(names) - len(waiting)
    tell(done, len(names), Count(0, 0))
    if waiting:
        maker = (without_secrets(settings), folder, reading.artist, made.fingerprint)
        for count in workers.run(waiting, maker):
            done += 1
            tell(done, len(names), count)
    for path in folder.glob(SHARDS):
        if path.name not in names:  # of what the source was before
            path.unlink()
        forget_unfinished(path)
    with suppress(OSError):
        (folder / TEMPORARY).rmdir()
    write_list(folder, names, divided.remarks, made)


def without_secrets(settings: Settings) -> Settings:
    """Return the settings without keys and addresses: workers ask no server, and Ray tells them."""
    secrets = {name: None for name, value in settings if isinstance(value, SecretStr)}
    return settings.model_copy(update=secrets | dict.fromkeys(SERVERS, ""))


class Workers:
    """Processes of Ray, each with its own models."""

    def __init__(self, number: int, gpus: float = 0) -> None:
        self._number, self._gpus = number, gpus

    def run(self, portions: Sequence[Portion], maker: tuple[Any, ...]) -> Iterator[Count]:
        """Have the portions done; yields what became of each, in any order."""
        with _ray(self._number) as ray:
            from ray.exceptions import RayError

            ray.data.DataContext.get_current().enable_progress_bars = False
            rows = [{"portion": pickle.dumps(portion)} for portion in portions]
            try:
                done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
                    _Maker,
                    fn_constructor_args=maker,
                    compute=ray.data.ActorPoolStrategy(size=min(self._number, len(rows))),
                    num_gpus=self._gpus or None,
                )
                logging.getLogger("ray.data").setLevel(logging.ERROR)  # it sets its own before
                for row in done.iter_rows():
                    yield Count(int(row["files"]), int(row["refused"]))
            except RayError as error:
                said = str(error).strip().splitlines()
                raise LawfulError(
                    f"a worker failed: {said[-1] if said else type(error).__name__}; the shards "
                    f"that are done stay, run the same command again"
                ) from error


class _Maker:
    """What a worker of Ray is."""

    def __init__(
        self, settings: Settings, folder: Path, artist: str | None, fingerprint: str
    ) -> None:
        encoders = load_encoders(settings)
        if encoders.fingerprint != fingerprint:
            raise BadInput(
                f"this worker has the encoders {encoders.fingerprint[:12]}, the job was begun "
                f"with {fingerprint[:12]}; give all machines the same version, profile and weights"
            )
        self._encoder = Encoder(settings, encoders, folder, artist=artist)

    def __call__(self, row: dict[str, Any]) -> dict[str, int]:
        """Make the shard of a portion."""
        portion: Portion = pickle.loads(row["portion"])  # noqa: S301  the driver wrote it
        return vars(self._encoder.make(portion))


@contextmanager
def _ray(workers: int) -> Iterator[Any]:
    """Join the cluster that RAY_ADDRESS names, or begin one on this machine and end it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError:
        raise BadInput(MISSING) from None
    if ray.is_initialized():
        yield ray
        return
    is_own = not os.environ.get("RAY_ADDRESS")
    ray.init(
        num_cpus=max(workers, os.cpu_count() or 1) if is_own else None,
        include_dashboard=False if is_own else None,
        object_store_memory=OBJECTS_BYTES if is_own else None,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        yield ray
    finally:
        ray.shutdown()
