"""What is kept of a training: `classifier.json` and the weights that it names. No pickle.

The weights lie under the hash of their bytes and are written first; the JSON is renamed into place
last. So a reader finds the old classifier or the new one, whole, whatever is interrupted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self
from uuid import UUID

from attribution import tenants
from attribution.errors import BadInput, NotFound, ProfileMismatch
from attribution.training.network import Network
from attribution.whole import written_whole

FACTS = "classifier.json"
CARD = "README.md"
FORMAT = 1
ANEW = "train it again with `lawful train classifier`"


def own_folder(trained: Path) -> Path:
    """Return where below LAWFUL_TRAINED the classifier of the tenant lies."""
    return Path(tenants.own_place(str(trained)))


@dataclass(frozen=True)
class Compared:
    """How one voter names works of the held-out lineages."""

    voter: str
    top1: float
    macro_recall: float
    ece: float


@dataclass(frozen=True)
class Facts:
    """Everything about a trained classifier that is no weight."""

    profile: str
    fingerprint: str  # of the encoders
    dims: dict[str, int]  # vector -> width
    named_by: Literal["id", "name"]  # what `artists` are: ids of the catalogue, or names
    artists: list[str]  # by number
    works: list[str]  # ids of all works that the weights have seen, sorted
    temperature: float  # that the scores are divided by
    data: str  # what it was trained on
    left_out: dict[str, int]  # reason -> works
    recipe: dict[str, Any]
    epochs: list[dict[str, Any]]  # figures of the run that chose how many
    held_out: int  # works that `compared` is about; the weights never saw them
    compared: list[Compared]
    works_per_s: float  # one pass over the training works
    created_at: str  # ISO 8601
    weights: str = ""  # SHA-256 of their file

    def has_seen(self, works: Collection[UUID]) -> int:
        """Return how many of these works the weights were trained on."""
        return len({str(one) for one in works} & set(self.works))

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Return the facts as they were written; raises KeyError, TypeError."""
        known = {one.name: values[one.name] for one in fields(cls)}
        return cls(**known | {"compared": [Compared(**one) for one in values["compared"]]})


def save(folder: Path, network: Network, facts: Facts, card: str) -> Facts:
    """Write a classifier in place of the one that is there; returns the facts with its hash."""
    from safetensors.numpy import save as packed

    folder.mkdir(parents=True, exist_ok=True)
    data = packed(network.arrays())
    digest = hashlib.sha256(data).hexdigest()
    written = asdict(facts) | {"weights": digest, "format": FORMAT}
    text = json.dumps(written, ensure_ascii=False, indent=1)
    for name, content in (
        (_weights(digest), data),
        (CARD, card.encode()),
        (FACTS, text.encode()),
    ):
        with written_whole(folder / name) as new:
            new.write_bytes(content)
    for old in folder.glob(_weights("*")):
        if old.name != _weights(digest):
            old.unlink(missing_ok=True)
    return Facts.of(written)


def read_facts(folder: Path) -> Facts | None:
    """Return what is known of the classifier in a folder, None where there is none.

    Raises BadInput for what this program did not write.
    """
    path = folder / FACTS
    try:
        values = json.loads(path.read_bytes())
        if values["format"] != FORMAT:
            raise BadInput(f"{path} is of format {values['format']}; this program knows {FORMAT}")
        return Facts.of(values)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} cannot be read: {error!r}; {ANEW}") from None


def load(folder: Path, *, fingerprint: str) -> tuple[Network, Facts]:
    """Return a classifier for these encoders.

    Raises NotFound where there is none, ProfileMismatch for one of other encoders, BadInput for one
    that is damaged.
    """
    facts = read_facts(folder)
    if facts is None:
        raise NotFound(f"{folder} has no trained classifier; `lawful train classifier` makes one")
    if facts.fingerprint != fingerprint:
        raise ProfileMismatch(
            f"the classifier in {folder} was trained with profile {facts.profile!r} "
            f"({facts.fingerprint[:12]}), the collection has {fingerprint[:12]}; {ANEW}, "
            f"or set LAWFUL_TRAINED to another folder"
        )
    return _network(folder / _weights(facts.weights), facts), facts


def _network(path: Path, facts: Facts) -> Network:
    from safetensors import SafetensorError
    from safetensors.numpy import load as unpacked

    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != facts.weights:
            raise BadInput(f"{path} is not what {FACTS} names: its hash differs; {ANEW}")
        return Network.of(unpacked(data))
    except FileNotFoundError:
        raise BadInput(f"{path} is missing; {ANEW}") from None
    except (SafetensorError, TypeError) as error:
        raise BadInput(f"{path} cannot be read: {error}; {ANEW}") from None


def _weights(digest: str) -> str:
    return f"classifier-{digest[:16]}.safetensors"
