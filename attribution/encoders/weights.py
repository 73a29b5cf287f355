"""Weights on disk: where they are, what they hash to, and what to say when they are missing."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

from attribution.errors import BadInput, ModelUnavailable

FILES = {".pt", ".safetensors"}  # which no hub is asked for


def state_hash(module: torch.nn.Module) -> str:
    """Return the SHA-256 of a model's weights: names, shapes and bytes, in the order of names."""
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_device(device: str) -> None:
    """Raise BadInput unless models can run on this device here."""
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(
            f"LAWFUL_DEVICE={device} is not available here ({reason}); set it to cpu"
        ) from None


def unreachable(what: str, source: str, cause: BaseException) -> ModelUnavailable:
    """Return the error for weights that cannot be had, with every way out."""
    path = Path(source)
    if path.is_absolute() or source.startswith("local-dir:") or path.suffix in FILES:
        ways = "check the path (`./` begins one beside the file of profiles)"
    else:
        ways = (
            "fetch them once with `lawful models fetch --profile …` on a machine with network; "
            "HF_HOME says where they are kept and HF_HUB_OFFLINE=1 then keeps the program off "
            "the network"
        )
    reason = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    return ModelUnavailable(
        f"cannot load {what} from {source}: {reason}. Either {ways}; "
        f"or use LAWFUL_PROFILE=starter, which needs no download"
    )
