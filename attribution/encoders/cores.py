"""Cores of the machine, shared by what runs at the same time in one process."""

from __future__ import annotations

import os

ENCODERS = 2  # of a profile that need most of the time: they run side by side (`encoder_set`)


def share_cores() -> None:
    """Give each of the encoders its part of the cores; OMP_NUM_THREADS overrules it.

    By default torch takes all cores for each model: threads that wait for each other in a loop
    then take them from the other models, and from those that read and write files.
    """
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        share = max(1, (os.cpu_count() or 1) // ENCODERS)
        torch.set_num_threads(min(torch.get_num_threads(), share))
