"""Which names are those of pictures, and of notes next to them, by their endings alone."""

from __future__ import annotations

import re
from pathlib import PurePath

SUFFIXES = {
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".tif", ".tiff"),
    *(".avif", ".bmp", ".heic", ".heif"),
}
NOTES = frozenset(  # of people
    """.doc .docx .docm .odt .rtf .pages .ppt .pptx .odp .key .pdf .md .txt .log .htm .html .xml
    .yml .yaml .url .webloc .lnk .desktop .ini .nfo .eml .msg""".split()  # noqa: SIM905  prose
)
SIDECARS = frozenset(  # of programs
    """.xmp .pp3 .dop .aae .thm .cos .cot .cop .comask .on1 .nksc .nxd .arp .vrd .lrcat
    .lrprev""".split()  # noqa: SIM905  prose
)
NAMES_PICTURE = re.compile(
    rf"\.(?:{'|'.join(sorted(one[1:] for one in SUFFIXES))})(?![\w.])", re.IGNORECASE
)


def is_picture(path: PurePath) -> bool:
    """Tell whether a file is called as a picture."""
    return path.suffix.lower() in SUFFIXES
