"""What weights hash to, and whether there is a device for them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

from attribution.errors import BadInput


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
