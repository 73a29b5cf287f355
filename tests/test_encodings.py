"""Names in encodings of old: certain, or several that a person chooses from."""

from __future__ import annotations

import pytest

from attribution.catalogue.encodings import certain, check_encoding, choices, readings
from attribution.errors import BadInput


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (["José Núñez/niño.png"], "cp850"),
        (["Müller/Straße.png"], "cp437"),
        (["Dvořák/Vltava.png"], "cp852"),
        (["Γιάννης/1.png"], "cp737"),
    ],
)
def test_one_plausible_reading_is_certain(names: list[str], encoding: str) -> None:
    """Whatever encoding gives it: others make no words of the same bytes."""
    reading = certain([name.encode(encoding) for name in names])

    assert reading is not None
    assert list(reading.names) == names


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("葛飾北斎/富士山.png", "cp932"),
        ("张大千", "gb18030"),
        ("김홍도", "cp949"),
        ("Гада", "cp866"),
        ("שלום", "cp862"),
        ("Ångström", "cp850"),
        ("Ann – Bob", "cp1252"),
    ],
)
def test_several_plausible_readings_are_shown(name: str, encoding: str) -> None:
    """The right one is among those that a person sees."""
    raw = [name.encode(encoding)]

    assert certain(raw) is None
    assert repr(name) in choices(raw)


def test_names_are_read_together() -> None:
    """One name that rules an encoding out decides for the others."""
    alone, other = "Ångström".encode("cp850"), "São".encode("cp850")

    assert certain([alone]) is None
    reading = certain([alone, other], without=frozenset({"mac_roman"}))
    assert reading is not None
    assert reading.names == ("Ångström", "São")


def test_bytes_of_no_encoding() -> None:
    """Readings without words are shown for what they are, and none is certain."""
    assert certain([b"\xb0\xfe\xb1"]) is None
    assert all(one.oddities for one in readings([b"\xb0\xfe\xb1"]))


@pytest.mark.parametrize("name", ["utf-16", "rot13", "cp037", "nonsense", "idna\0"])
def test_encodings_that_no_file_name_has(name: str) -> None:
    """They are refused by name, with examples."""
    with pytest.raises(BadInput, match="not an encoding of names; such are"):
        check_encoding(name)
    assert check_encoding("shift_jis") == "shift_jis"
