"""By what a model's numbers are computed: libraries and precisions that may stand for each other.

float32 of torch is what all others are held against (`laboratory.tuning`): a collection remembers
that class of numbers, and not which of these gave them.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Forward = Callable[["torch.Tensor"], tuple["torch.Tensor", ...]]


class Runtime(StrEnum):
    """A library and a precision."""

    TORCH = "torch float32"
    TORCH_BFLOAT16 = "torch bfloat16"
    TORCH_FLOAT16 = "torch float16"
    OPENVINO = "openvino float32"
    OPENVINO_BFLOAT16 = "openvino bfloat16"

    @property
    def converts(self) -> bool:
        """Whether it needs the model in a form of its own, which takes seconds to make."""
        return self in {Runtime.OPENVINO, Runtime.OPENVINO_BFLOAT16}


def possible(device: str) -> list[Runtime]:
    """Return what can be tried on a device with what is installed, torch's float32 first."""
    if device.startswith("cuda"):
        return [Runtime.TORCH, Runtime.TORCH_BFLOAT16, Runtime.TORCH_FLOAT16]
    if device != "cpu":
        return [Runtime.TORCH]
    converted = [Runtime.OPENVINO, Runtime.OPENVINO_BFLOAT16] if has_openvino() else []
    return [Runtime.TORCH, Runtime.TORCH_BFLOAT16, *converted]


def has_openvino() -> bool:
    """Return whether the extra `openvino` is installed."""
    return find_spec("openvino") is not None


def forward(module: torch.nn.Module, runtime: Runtime, converted: Path) -> Forward:
    """Return what a model makes of float32 pixels, as float32, computed by a runtime.

    `module` gives a tuple of tensors with a row for each image. `converted` is the file of its
    other form, for the runtimes that need one; where it is missing it is made at the first call.
    """
    if runtime.converts:
        return _OpenVino(module, converted, narrow=runtime is Runtime.OPENVINO_BFLOAT16)
    if runtime is Runtime.TORCH:
        return module

    import torch

    precision = torch.bfloat16 if runtime is Runtime.TORCH_BFLOAT16 else torch.float16
    narrow = copy.deepcopy(module).to(precision)  # what else the model does stays as it is

    def run(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(rows.float() for rows in narrow(pixels.to(precision)))

    return run


class _OpenVino:
    """A model in OpenVINO's form; calls come one after the other, as they share its memory."""

    def __init__(self, module: torch.nn.Module, path: Path, *, narrow: bool) -> None:
        self._module = module
        self._path = path
        self._narrow = narrow
        self._lock = Lock()
        self._compiled: Any = None

    def __call__(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        import torch

        with self._lock:
            if self._compiled is None:
                self._compiled = self._compile(tuple(pixels.shape[1:]))
            rows = self._compiled(pixels.numpy())
            return tuple(torch.from_numpy(rows[place].copy()) for place in self._compiled.outputs)

    def _compile(self, shape: tuple[int, ...]) -> Any:
        import torch

        openvino = _openvino()
        if not self._path.is_file():
            _convert(self._module, shape, self._path)
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if self._narrow else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),  # its share of the cores
            "NUM_STREAMS": 1,
        }
        return openvino.Core().compile_model(self._path, "CPU", options)


def _convert(module: torch.nn.Module, shape: tuple[int, ...], path: Path) -> None:
    """Write a model in OpenVINO's form, for any number of images of this shape."""
    import torch

    openvino = _openvino()
    number = torch.export.Dim("images")
    with torch.inference_mode(mode=False), torch.no_grad():
        pixels = torch.zeros(2, *shape)
        module(pixels)  # what it computes once and keeps is a constant for those that follow
        exported = torch.export.export(module, (pixels,), dynamic_shapes=({0: number},))
        model = openvino.convert_model(exported)
    path.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(model, path, compress_to_fp16=False)


def _openvino() -> ModuleType:
    """Import OpenVINO without what tells its makers of every import and conversion."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # not importable
    return import_module("openvino")
