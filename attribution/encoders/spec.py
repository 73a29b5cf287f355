"""What every encoder of a profile says of itself, whatever its kind."""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from attribution.encoders.encoder import Encoder, Lane, ModelInfo
from attribution.encoders.tuned import Tuned
from attribution.errors import BadInput

LOCAL = "local-dir:"  # as open_clip and timm call a folder
BESIDE = ("./", "../")  # how a path that belongs to the profile's file begins

WHERE = {"model", "pretrained", "subfolder", "variant", "revision", "license"}  # weights come from

VectorName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Model = TypeVar("Model")


class Spec(BaseModel, ABC):
    """Which model, under which licence. A path that begins with `./` is beside the profile's file.

    `revision` is the SHA-256 of the weights, as `lawful models fetch` says it, or its beginning:
    other weights are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    has_runtimes: ClassVar[bool] = True  # whether it is a model that others can compute

    model: Annotated[str, Field(min_length=1)]
    license: Annotated[str, Field(min_length=1)]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] | None = None

    @field_validator("model", "pretrained", check_fields=False)
    @classmethod
    def _beside_its_file(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        prefix = LOCAL if value.startswith(LOCAL) else ""
        path = value.removeprefix(LOCAL)
        if not path.startswith(BESIDE):
            return value
        folder: Path = (info.context or {}).get("folder", Path.cwd())
        return f"{prefix}{(folder / path).resolve()}"

    @property
    @abstractmethod
    def lanes(self) -> Mapping[str, Lane]:
        """The named vectors that it gives, and what each is for."""

    @abstractmethod
    def encoder(self, device: str, tuned: Tuned | None = None) -> Encoder:
        """Return the encoder; it loads its weights on first use. Without choices it is float32."""

    def key(self, revision: str) -> str:
        """Return what a model is known by to `Tuned`: its weights, and what is done with them."""
        used = self.model_dump_json(exclude=WHERE)
        return hashlib.sha256(f"{revision} {used}".encode()).hexdigest()[:32]

    @property
    def source(self) -> str:
        """Where its weights are: what errors name."""
        return self.model

    @property
    def name(self) -> str:
        """The model's name as people quote it: of a local one the end of its path."""
        path = Path(self.source.removeprefix(LOCAL))
        return "/".join(path.parts[-2:]) if path.is_absolute() else self.source

    def info(self, revision: str, widths: Mapping[str, int], preprocessing: str) -> ModelInfo:
        """Describe the model as it was loaded; raises BadInput for weights of another revision."""
        if not revision.startswith(self.revision or ""):
            raise BadInput(
                f"{self.name}: its weights are of revision {revision[:12]}, the profile asks for "
                f"{self.revision}; fetch those, or change the profile"
            )
        return ModelInfo(
            model=self.name,
            vectors=widths,
            lanes=self.lanes,
            revision=revision,
            preprocessing=preprocessing,
            license=self.license,
        )


class Once(Generic[Model]):
    """Loads a model at its first call, and once: two requests may find it unloaded."""

    def __init__(self, load: Callable[[], Model]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._loaded: Model | None = None

    def __call__(self) -> Model:
        """Return the model."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded
