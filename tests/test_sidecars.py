"""Files next to a picture that speak of it are heard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest.sources import SourceItem, read_source
from tests.portfolios import picture

EVERYTHING = ("index", "display", "train", "generate")
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" plus:DataMining="{}"/>'
    "</rdf:RDF></x:xmpmeta>"
)
DMI = "http://ns.useplus.org/ldf/vocab/DMI-"


def read(folder: Path, name: str, text: str) -> SourceItem:
    """Read a picture with a file next to it."""
    (folder / "Ann").mkdir()
    picture(1).save(folder / "Ann" / "boat.png")
    (folder / "Ann" / name).write_text(text)
    (item,) = read_source(folder, granted=EVERYTHING)
    return item


@pytest.mark.parametrize("name", ["boat.json", "boat.png.json", "BOAT.JSON"])
@pytest.mark.parametrize(
    ("said", "denied"),
    [
        ({"consent_index": "no", "title": "x"}, {"index"}),
        ({"Consent Train": False, "views": 7}, {"train"}),
        ({"title": "IMG_1", "photoTakenTime": {"timestamp": "1"}, "tags": {"a": 1}}, set()),
    ],
)
def test_json(tmp_path: Path, name: str, said: dict[str, object], denied: set[str]) -> None:
    """What a download tool leaves is read where it speaks about permission, and only there."""
    item = read(tmp_path, name, json.dumps(said))

    assert item.refused is None
    assert set(EVERYTHING) - set(item.consent) == denied


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"consent_index": "maybe"}', "say yes or no"),
        ('{"opt_out": true}', "speaks about permission"),
        ('{"consent_index": ', "cannot be read as JSON"),
    ],
)
def test_json_that_may_say_no(tmp_path: Path, text: str, says: str) -> None:
    """The picture is refused, with the file that says it."""
    assert says in str(read(tmp_path, "boat.json", text).refused)


@pytest.mark.parametrize("name", ["boat.xmp", "boat.png.xmp", "Boat.XMP"])
@pytest.mark.parametrize(
    ("text", "trains"),
    [
        (XMP.format(DMI + "PROHIBITED-AIMLTRAINING"), False),
        (XMP.format(DMI + "ALLOWED"), True),
        ("<x/>", True),
        ("<x:xmpmeta><broken", False),
        ("<x>noai</x>", False),
    ],
)
def test_xmp(tmp_path: Path, name: str, text: str, trains: bool) -> None:  # noqa: FBT001
    """It forbids as if it stood in the picture; what cannot be read may have."""
    item = read(tmp_path, name, text)

    assert item.refused is None
    assert ("train" in item.consent) is trains
