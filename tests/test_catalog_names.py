"""Names of artists: what is kept, what counts as alike, what stands in URLs."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.catalog.names import LONGEST_SLUG, fold, resemble, slugify, tidy
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
    ],
)
def test_different_names_stay_different(one: str, other: str) -> None:
    """What is more than a spelling is not proposed."""
    assert fold(one) != fold(other)


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
    with pytest.raises(BadInput, match="no name of an artist"):
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
