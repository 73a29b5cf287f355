"""Processes that read one file each, and give up rights before they do, as it may end them.

With the standard library alone: such a process has to begin fast.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def output_of(
    program: Path, *arguments: object, given: bytes | None = None, patience_s: float
) -> bytes:
    """Run a program that confines itself; returns what it prints. Raises SubprocessError.

    It bounds what it prints: all of that is held here.
    """
    return subprocess.run(  # noqa: S603  this program's own interpreter and file
        [sys.executable, "-s", "-P", program, *map(str, arguments)],
        input=given or b"",
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=patience_s,
        check=True,
    ).stdout


def confine(memory_bytes: int, cpu_s: int) -> None:
    """Limit the address space and processor time of this process, and let it write no file.

    Where the system does not know such limits, whoever started it has to limit the time.
    """
    try:
        import resource
    except ImportError:
        return
    wanted = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in wanted.items():
        try:
            resource.setrlimit(limit, (value, value))
        except (OSError, ValueError):
            continue  # macOS refuses some
