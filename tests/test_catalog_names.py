"""Names of artists: what is kept, what counts as alike, what stands in URLs."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.catalogue.names import (
    LONGEST_SLUG,
    fold,
    readable,
    resemble,
    slugify,
    tells_apart,
    tidy,
    visible,
)
from attribution.errors import BadInput

NAMES = st.text(min_size=1, max_size=80)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Sergio Luiz Araujo Silva", "Sérgio Luiz Araújo Silva"),
        ("Jean-Victor Balin", "Jean-VIctor Balin"),
        ("Jean-Victor Balin", "Jean-Victor Balin (balin_j@epita.fr)"),
        ("A.J. Ashton", "AJ Ashton"),
        ("A. J. Ashton", "Ashton, A.J."),
        ("PeterM", "peterm"),
        ("Patricia FIDI", "Fidi, Patricia"),
        ("Petri Lummemaki", "Petri Lummemäki"),
        ("Søren Łuk", "Soren Luk"),
        ("Weiß", "WEISS"),
        ("Jakob", "Jakob [chaosinfaith@hotmail.com]"),
        ("Mitchell Johnson", "Mitchell Johnson &lt;silverninja.net/~mitchell>"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}BC", "abc"),
        ("Иван Шишкин", "Шишкин, ИВАН"),
        ("Linda Kim", "linda\u200b kim"),
        ("Kim Linda", "Linda\u00ad Kim"),
        ("علی\u200cرضا", "علیرضا"),
        ("葛\U000e0100飾", "葛飾"),
        ("👩\u200d🎨", "👩🎨"),
        ("John Smith (1801-1870)", "Smith, John, 1801–1870"),
    ],
)
def test_spellings_of_one_name_fold_alike(one: str, other: str) -> None:
    """Case, accents, punctuation, word order, additions and spaced initials do not count."""
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Daniel", "Daniel Delay"),
        ("Andrew Fitzsimon", "Andy Fitzsimon"),
        ("Nicu Buculei", "Nicu Buculei and Nathan Eady"),
        ("A. J. Ashton", "J. A. Ashton"),
        ("田中", "山本"),
        ("🎨", "🐙"),
        ("か", "が"),
        ("a@example.org", "b@example.org"),
        ("John Smith (1801-1870)", "John Smith (1920-)"),
        ("John Smith", "John Smith II"),
        ("John Smith", "John Smith (Jr.)"),
        ("Hans Holbein d. J.", "Hans Holbein d. Ä."),
        ("Ann (painter)", "Ann (sculptor)"),
        ("Ann @annpaints", "Ann"),
        ("Gilbert & George", "Gilbert George"),
        ("Ke$ha", "Ke Ha"),
        ("j.smith photos", "photos"),
    ],
)
def test_different_names_stay_different(one: str, other: str) -> None:
    """What is more than a spelling is not proposed."""
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("Jakob [a@example.org]", "Jakob <b@example.org>", True),
        ("Jakob [a@example.org]", "jakob (A@example.org)", False),
        ("Jakob [a@example.org]", "Jakob", False),
        ("Jakob", "jakob", False),
    ],
)
def test_addresses_tell_namesakes_apart(one: str, other: str, *, apart: bool) -> None:
    """Two people of one name have addresses of their own."""
    assert fold(one) == fold(other)
    assert tells_apart(one, other) is apart


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("क्\u200dष", "क्\u200dष"),
        ("❤️\u200d🔥", "❤️\u200d🔥"),
        ("Lin\u200dda", "Linda"),
        ("\u200d\u200cann\u200c", "ann"),
        ("ك\u200d\u200dك", "كك"),
        ("red\u202e \x1b[31m\nboat\u200b\ufeff", "red [31m boat"),
        ("soft\u00adly", "softly"),
        ("🏴\U000e0067\U000e007f", "🏴"),
        ("a\u2800b", "a b"),
        ("\u3164", ""),
        ("a\udce9\ud800", "a\ufffd\ufffd"),
    ],
)
def test_visible_text(text: str, seen: str) -> None:
    """Joiners that join stay; what hides, turns or controls goes; half characters are marked."""
    assert visible(text) == seen


@given(st.text())
def test_visible_text_is_settled(text: str) -> None:
    """What is visible is the same when it is given again, and can be stored."""
    seen = visible(text)

    assert visible(seen) == seen
    seen.encode()


def raw(name: str, encoding: str) -> str:
    """Return a name as a file system of today gives one of another encoding."""
    return name.encode(encoding).decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("name", "encoding"), [("Müller", "cp1252"), ("São João", "cp850"), ("Dvořák", "cp852")]
)
def test_bytes_that_can_be_one_name_alone_are_read(name: str, encoding: str) -> None:
    """Only one encoding makes words of them."""
    assert readable(raw(name, encoding)) == name
    assert tidy(raw(name, encoding)) == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Jos\udce8", r"'Jos\\xe8' is not UTF-8.*as cp1252: 'Josè'.*as cp1250: 'Josč'.*rename"),
        (raw("葛飾北斎", "cp932"), "as cp932: '葛飾北斎'"),
        ("\udcff\udcfe", "rename it, or name the artist"),
        ("Jos\ufffd", "has lost characters"),
        ("Jos\ud800", "half a character"),
    ],
)
def test_bytes_that_may_be_several_names_are_asked_about(name: str, says: str) -> None:
    """Two folders never become one artist: the name is refused, with what it may mean."""
    for door in (readable, tidy):
        with pytest.raises(BadInput, match=says) as asked:
            door(name)
        str(asked.value).encode()


@given(st.binary(min_size=1, max_size=20))
def test_any_bytes_are_read_or_refused(name: bytes) -> None:
    """Nothing is replaced in silence: what is read has the same bytes in some encoding."""
    given_name = name.decode("utf-8", "surrogateescape")
    try:
        text = readable(given_name)
    except BadInput:
        return
    text.encode()
    assert "\ufffd" not in text


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Cédric bosdonnat", "cedric-bosdonnat"),
        ("Marko J. Kolehmainen", "marko-j-kolehmainen"),
        ("Jakob [chaosinfaith@hotmail.com]", "jakob"),
        ("zazou (shockwavedj@yahoo.es)", "zazou"),
        ("Joshua Warren jwasheville@yahoo.com", "joshua-warren"),
        ("Mitchell Johnson &lt;silverninja.net/~mitchell>", "mitchell-johnson"),
        ("(Anonymous)", "anonymous"),
        ("HASH(0x89c79d4)", "hash"),
        ("Steffen Glückselig", "steffen-gluckselig"),
    ],
)
def test_slug(name: str, slug: str) -> None:
    """Slugs are readable, and no e-mail address gets into one."""
    assert slugify(name) == slug


@pytest.mark.parametrize("name", ["田中", "🎨", "!!!", "me@example.org", "Иван"])
def test_slug_without_latin_letters(name: str) -> None:
    """A name that ASCII cannot spell gets a slug from its hash, always the same."""
    assert re.fullmatch(r"artist-[0-9a-f]{8}", slugify(name))
    assert slugify(name) == slugify(unicodedata.normalize("NFD", name))


def test_partly_spellable_names_are_kept_apart() -> None:
    """What ASCII leaves out still counts."""
    assert slugify("X 田中") != slugify("X 山本")
    assert slugify("X 田中").startswith("x-")


@given(NAMES)
def test_any_name_has_a_slug_and_a_fold(name: str) -> None:
    """Whatever the name: a short ASCII slug, and a fold that is not empty."""
    slug = slugify(name)

    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
    assert len(slug) <= LONGEST_SLUG
    assert fold(name)


@given(st.lists(st.text("abcdéñ", min_size=2, max_size=8), min_size=1, max_size=5), st.randoms())
def test_fold_ignores_order(words: list[str], random: object) -> None:
    """Words may come in any order."""
    shuffled = list(words)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random

    assert fold(" ".join(words)) == fold(", ".join(shuffled).upper())


@given(NAMES)
def test_tidy_is_settled(name: str) -> None:
    """A kept name is the same when it is given again."""
    try:
        kept = tidy(name)
    except BadInput:
        return
    assert tidy(kept) == kept
    assert kept == " ".join(kept.split())


@pytest.mark.parametrize("name", ["", "   ", "\0\n", "\ud800"])
def test_no_name(name: str) -> None:
    """Nothing visible is no name."""
    with pytest.raises(BadInput, match="not a valid artist name"):
        tidy(name)


def test_too_long_a_name() -> None:
    """The error names the length and the limit."""
    with pytest.raises(BadInput, match=r"201 characters; at most 200"):
        tidy("x" * 201)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Linda Kim", "linda  kim", True),
        ("Kim, Linda", "Linda Kim", True),
        ("Ann Exampel", "Ann Example", True),
        ("van Gogh", "Vincent van Gogh", True),
        ("Pablo Picasso", "Pablo Ruiz Picasso", True),
        ("John Smith", "Jane Smith", False),
        ("Smith", "John Smith", False),
        ("artist-1", "artist-2", False),
        ("山田 太郎", "山田 次郎", False),
        ("Cy", "Bob", False),
    ],
)
def test_names_that_resemble(one: str, other: str, expected: bool) -> None:  # noqa: FBT001  a case
    """Spellings of one name do, other first names and other numbers do not; in either order."""
    assert resemble(one, other) is resemble(other, one) is expected
