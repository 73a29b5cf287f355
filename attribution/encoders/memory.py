"""Memory of batches: kept for the next one, and known for what it is when it runs out."""

from __future__ import annotations

import ctypes
import sys

# Of mallopt(3): what is asked for at once and mapped by itself, what may lie idle before it goes
# back, what a heap grows by, and the number of heaps.
OPTIONS = {
    "M_MMAP_THRESHOLD": (-3, 2**30),
    "M_TRIM_THRESHOLD": (-1, 2**31 - 1),
    "M_TOP_PAD": (-2, 2**28),
    "M_ARENA_MAX": (-8, 1),
}
# What an error says where it has no class of its own: of TorchScript and the driver, of the CPU, of
# cuBLAS, of cuDNN, and of torch where no algorithm of cuDNN found room to work in.
SHORT_OF_MEMORY = (
    "out of memory",
    "DefaultCPUAllocator",
    "STATUS_ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "unable to find an engine to execute this computation",
)


def keep_memory() -> None:
    """Keep what a batch of activations needed; without glibc this does nothing.

    By default glibc maps every large block by itself and gives it back at once: page faults then
    take more than half of the processor time of convolutional encoders. The process stays as large
    as its largest batch, until `give_back_memory`.
    """
    if library := _glibc():
        for option, value in OPTIONS.values():
            library.mallopt(option, value)


def give_back_memory() -> None:
    """Give back what is kept and not in use: for whoever has no other batch to run next."""
    if library := _glibc():
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None


def ran_out(error: BaseException) -> bool:
    """Return whether a model found too little memory, on whatever device.

    Accelerators have an error of their own, which their libraries and TorchScript do not use.
    """
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(text in str(error) for text in SHORT_OF_MEMORY)
