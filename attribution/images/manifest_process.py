"""Reads the C2PA manifests of one image in a process of its own, which may die of it.

The parser believes the lengths that a manifest states: 5 KB can make it allocate 4 GB. So it gets
its own memory and processor time, and cannot write files. Run as a script, with the standard
library and c2pa alone, to start fast. On stdin one line of JSON, the settings, then the image; on
stdout one JSON object: the report, or what `read_manifests` says there is in its place.
"""

from __future__ import annotations

import io
import json
import sys

from attribution.confined import confine

MEMORY_BYTES = 256 * 2**20  # of address space, beside twice the image
CPU_S = 10
REPORT_CHARACTERS = 4 * 2**20


def main() -> None:
    """Read stdin, write stdout."""
    settings = json.loads(sys.stdin.buffer.readline())
    image = sys.stdin.buffer.read()
    confine(MEMORY_BYTES + 2 * len(image), CPU_S)
    sys.stdout.write(_report(image, settings))


def _report(image: bytes, settings: dict[str, object]) -> str:
    from c2pa import C2paError, Context, Reader

    try:
        with (
            Context.from_dict(settings) as context,
            Reader("", io.BytesIO(image), context=context) as reader,  # the bytes say which format
        ):
            report: str = reader.json()
    except (C2paError.ManifestNotFound, C2paError.NotSupported):
        return "{}"
    except C2paError as error:
        said = str(error)
        return json.dumps({"remote": True} if said.startswith("Remote") else {"error": said})
    if len(report) > REPORT_CHARACTERS:
        return json.dumps({"error": f"{len(report) / 2**20:.0f} MiB of statements"})
    return report


if __name__ == "__main__":
    main()
