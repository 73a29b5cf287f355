"""The memory of one batch is there for the next one."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Two large blocks in turn, as activations come; prints the page faults that the second one cost.
BLOCKS = """
import resource, sys
import numpy as np
from attribution.encoders.memory import keep_memory
if sys.argv[1] == "kept":
    keep_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(64 * 2**20, dtype=np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


def faults(how: str) -> int:
    """Return the page faults of the second block of 64 MiB in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKS, how], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")
def test_a_second_batch_finds_the_memory_of_the_first() -> None:
    """Without it every page of the block is faulted in anew (here 16,384, or fewer huge ones)."""
    assert faults("kept") < 10 < faults("given back")


KEPT = """
import sys
import numpy as np
from attribution.encoders.memory import give_back_memory, keep_memory
def resident():
    with open("/proc/self/statm") as sizes:
        return int(sizes.read().split()[1]) * 4 // 1024
keep_memory()
before = resident()
np.ones(256 * 2**20, dtype=np.uint8)
kept = resident()
give_back_memory()
print(before, kept, resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")
def test_what_is_kept_can_be_given_back() -> None:
    """A process that has no other batch is as small as before."""
    done = subprocess.run([sys.executable, "-c", KEPT], check=True, capture_output=True, text=True)
    before, kept, after = map(int, done.stdout.split())

    assert kept > before + 200
    assert after < before + 50
