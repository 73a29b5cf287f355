"""What the program brings along for whoever tries it out."""

from __future__ import annotations

from pathlib import Path


def examples_folder() -> Path:
    """Return the bundled examples: beside the packages in a checkout, inside them in a wheel."""
    api = Path(__file__).resolve().parent
    inside, beside = api / "examples", api.parent / "examples"
    return inside if inside.is_dir() else beside
