"""What `lawful tune` chose on this machine: by which runtime each model is computed."""

from __future__ import annotations

import hashlib
import logging
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from attribution.encoders.runtimes import Forward, Runtime, forward, has_openvino
from attribution.whole import written_whole

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

CHOICES = "choices.json"
LIBRARIES = ("torch", "openvino")


class Machine(BaseModel):
    """What a choice is good for: elsewhere, or after an upgrade, something else may be faster."""

    processor: str
    device: str
    versions: Mapping[str, str]


class Choices(BaseModel):
    """The file of choices."""

    machine: Machine
    runtimes: Mapping[str, Runtime]  # by `Spec.key`


@dataclass(frozen=True)
class Tuned:
    """Choices for one device of this machine, in a folder below `home`; none: float32 of torch.

    `tried` is used for every model instead, whatever was chosen.
    """

    home: Path
    device: str
    tried: Runtime | None = None

    @cached_property
    def machine(self) -> Machine:
        """What this machine is."""
        found = {}
        for name in LIBRARIES:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
        return Machine(processor=_processor(), device=self.device, versions=found)

    @cached_property
    def folder(self) -> Path:
        """Where the choices of this machine are: several may share a home."""
        digest = hashlib.sha256(self.machine.model_dump_json().encode()).hexdigest()
        return self.home / "tuned" / digest[:12]

    @cached_property
    def runtimes(self) -> Mapping[str, Runtime]:
        """The choices, by model; a file that cannot be read costs speed alone."""
        path = self.folder / CHOICES
        try:
            return Choices.model_validate_json(path.read_bytes()).runtimes
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            log.warning(
                "%s cannot be read (%s): models run as if never tuned; run lawful tune",
                path,
                str(error).splitlines()[0],
            )
            return {}

    def runtime(self, key: str) -> Runtime:
        """Return what a model is run by: float32 of torch where its other form is missing."""
        if self.tried is not None:
            return self.tried
        chosen = self.runtimes.get(key, Runtime.TORCH)
        if chosen.converts and not (has_openvino() and self._converted(key).is_file()):
            return Runtime.TORCH
        return chosen

    def forward(self, module: torch.nn.Module, key: str) -> Forward:
        """Return what the model makes of pixels, by its runtime; see `runtimes.forward`."""
        return forward(module, self.runtime(key), self._converted(key))

    def _converted(self, key: str) -> Path:
        return self.folder / f"{key}.xml"

    def keep(self, key: str, runtime: Runtime) -> None:
        """Choose a runtime for a model; what was chosen for others stays."""
        if not runtime.converts:
            self.forget(key)
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = replace(self)  # as the file is now
        choices = Choices(machine=self.machine, runtimes={**kept.runtimes, key: runtime})
        with written_whole(self.folder / CHOICES) as path:
            path.write_text(choices.model_dump_json(indent=1), encoding="utf-8")

    def forget(self, key: str) -> None:
        """Delete a model's other form."""
        for end in (".xml", ".bin"):
            self._converted(key).with_suffix(end).unlink(missing_ok=True)

    def forget_all(self) -> bool:
        """Delete everything that was chosen here; returns whether there was anything."""
        was_there = (self.folder / CHOICES).is_file()
        shutil.rmtree(self.folder, ignore_errors=True)
        return was_there


def _processor() -> str:
    """Return the processor's name, with what it can compute in."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}".strip()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    said = {key.strip(): value.strip() for key, value in facts.items()}
    narrow = {"amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni", "avx512f", "avx2"}
    flags = sorted(narrow & set(said.get("flags", "").split()))
    return f"{said.get('model name', platform.machine())} {' '.join(flags)}".strip()
