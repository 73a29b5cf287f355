"""Facts about behaviour, stated with the real parts.

Each process of tests computes in one thread, and so do those that it starts. There are as many of
them as cores; threads of one that wait for each other would spin, and take the core from the next.

What tests write lies in memory where that has room: nearly all of it is databases and indexes that
make sure, again and again, that a disk has them.
"""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108  everything in it is a folder of one's own
ROOM = 8 * 2**30  # bytes; a whole run was seen to take at most half of that

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are imported
if (
    "TMPDIR" not in os.environ
    and MEMORY.is_dir()
    and shutil.disk_usage(MEMORY).free > ROOM
    and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
):
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
