"""How the process of a command ends."""

from __future__ import annotations

import subprocess
import sys

import pytest


def ended(code: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own."""
    begun = "import atexit, os, sys, threading, time\nfrom api.cli.ending import Ending\n"
    return subprocess.run(
        [sys.executable, "-c", begun + code], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("pass", 0),
        ("sys.exit()", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('no')", 1),
        ("raise ValueError('no')", 1),
    ],
)
def test_the_code_is_that_of_the_block(block: str, expected: int) -> None:
    """Whatever the block ends with; what Python says of an error is said."""
    done = ended(f"with Ending(): {block}")

    assert done.returncode == expected
    assert ("no" in done.stderr) == ("no" in block)


def test_what_others_have_to_do_at_the_end_is_done() -> None:
    """Threads end, and what was registered is called; all that was printed arrives."""
    done = ended(
        "def late():\n"
        "    time.sleep(0.05)\n"
        "    print('thread')\n"
        "with Ending():\n"
        "    atexit.register(print, 'registered')\n"
        "    threading.Thread(target=late).start()\n"
        "    print('block', end=' ')\n"
    )

    assert done.stdout == "block thread\nregistered\n"


def test_nothing_is_taken_apart() -> None:
    """Objects that Python would end one by one stay as they are."""
    done = ended(
        "class Heavy:\n"
        "    def __del__(self): os.write(1, b'taken apart')\n"
        "heavy = Heavy()\n"
        "with Ending(): pass\n"
    )

    assert done.stdout == ""


def test_output_that_nobody_reads_is_an_error() -> None:
    """With the exit code that Python has for it."""
    done = ended(
        "reading, writing = os.pipe()\n"
        "os.close(reading)\n"
        "sys.stdout = os.fdopen(writing, 'w')\n"
        "with Ending(): print('lost')\n"
    )

    assert done.returncode == 120
