"""Rights that a process gives up before it reads what may end it.

With the standard library alone: such a process is started for one file and has to begin fast.
"""

from __future__ import annotations


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
