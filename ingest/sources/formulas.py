"""Cells of a CSV that a spreadsheet would run: written with an apostrophe, read without it.

A title such as `=HYPERLINK(…)` is a text here and a program in Excel. A cell that begins like a
formula gets an apostrophe in front, and so does one that looks as if it had got one already: what
is read is exactly what was written.
"""

from __future__ import annotations

import re

BEGINS = (
    r"\s*[=+\-@\t\r\n＝＋－＠]"  # some programs pass blanks over, and take wide signs for plain
)
FORMULA = re.compile(f"'*{BEGINS}")
QUOTED = re.compile(f"'+{BEGINS}")


def quote(text: str) -> str:
    """Return a text as it may stand in a cell."""
    return f"'{text}" if FORMULA.match(text) else text


def unquote(cell: str) -> str:
    """Return the text that stands in a cell."""
    return cell[1:] if QUOTED.match(cell) else cell
