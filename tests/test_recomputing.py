"""An answer's arithmetic, done again from what is kept of it; its question, asked once more."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import func, select, update

from attribution.answers import Attribution, Verdict
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import (
    KeptCalibration,
    SubjectUse,
    UsedCalibration,
    Workings,
)
from attribution.config import Settings
from attribution.custody import How, Kept, Purpose
from attribution.desk.opened import UNREADABLE
from attribution.errors import BadInput, Conflict, NotFound
from attribution.images import read_image
from attribution.lookup.again import ask_again
from attribution.lookup.recomputing import recompute
from attribution.lookup.subjects import Obtained, keeping
from attribution.lookup.workings import kept
from attribution.services import Services, open_services
from attribution.upkeep import subjects as upkeep
from attribution.upkeep.calibrating import calibrate
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.withdrawal import withdraw
from tests.apis import is_problem, png, upload
from tests.asking import a_work
from tests.commands import lawful
from tests.homes import copy_ingested
from tests.portfolios import by_hand, ingest, works


@pytest.fixture(scope="module")
def calibrated_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill and calibrate a `home` with artists who can be told apart."""
    made = tmp_path_factory.mktemp("calibrated")
    with open_services(Settings(home=made / "home", profile="stub")) as opened:
        for artist in range(8):
            own = made / "p" / f"artist-{artist}"
            own.mkdir(parents=True)
            for work in range(7):
                by_hand(artist, work).save(own / f"work-{work}.png")
        ingest(opened, made / "p")
        assert calibrate(opened)
    return made


@pytest.fixture
def services(calibrated_once: Path, tmp_path: Path) -> Iterator[Services]:
    """Open a copy of it."""
    copy_ingested(calibrated_once, tmp_path)
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as opened:
        yield opened


@pytest.fixture(scope="module")
def reading(
    calibrated_once: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Services, Attribution, dict[str, Any]]]:
    """Open a copy once, for reading: with an answer, and what it was computed from."""
    folder = tmp_path_factory.mktemp("reading")
    copy_ingested(calibrated_once, folder)
    with open_services(Settings(home=folder / "home", profile="stub")) as opened:
        answer = ask(opened)
        yield opened, answer, found(opened, answer)


def ask(services: Services, image: Image.Image | None = None) -> Attribution:
    """Ask about a picture that nobody registered, or another; it is kept as the settings say."""
    (image or by_hand(3, 99)).save(path := services.settings.home.parent / "asked.png")
    data = path.read_bytes()
    checked = read_image(data)
    keep = keeping(services, checked, lambda: data, Obtained(How.FILE, Purpose.CLAIM))
    return services.attributor.attribute(checked, also=keep)


def found(services: Services, answer: Attribution) -> dict[str, Any]:
    """Return what an answer was computed from."""
    with services.sessions() as session:
        made_of = kept(session, answer)
    assert made_of is not None
    return made_of


def count(services: Services, table: type[Workings | UsedCalibration]) -> int:
    """Count what is kept."""
    with services.sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


# ---- it comes out again --------------------------------------------------------------------------

ASKED = {
    "a stranger": by_hand(77, 1),
    "a hand": by_hand(3, 99),
    "a registered work": by_hand(3, 1),
    "plain": Image.new("RGB", (64, 64), (200, 30, 30)),
    "turned": by_hand(5, 2).rotate(90),
}


@pytest.mark.parametrize("what", ASKED)
def test_every_figure_comes_out_again(
    reading: tuple[Services, Attribution, dict[str, Any]], what: str
) -> None:
    """Of whatever verdict, without the models and from JSON alone."""
    services, *_ = reading
    answer = ask(services, ASKED[what])
    if answer.pins is None or answer.pins.workings is None:
        assert what == "plain"
        return
    made_of = json.loads(json.dumps(found(services, answer)))

    again = recompute(answer, made_of)

    assert again.is_right, [one.said for one in again.differing]
    assert again.compared > 10
    assert services.attributor.recompute(answer.id) == again


def test_an_answer_without_a_calibration_comes_out_again(services: Services) -> None:
    """The shares of the vote, and that nobody knows what they mean."""
    with services.sessions.begin() as session:
        queries.forget_calibration(session, services.row.fingerprint)

    for seed in range(3):
        answer = ask(services, by_hand(seed, 50))
        again = services.attributor.recompute(answer.id)
        assert answer.confidence is None
        assert again.is_right, [one.said for one in again.differing]


def test_it_says_what_is_taken_from_the_record(
    reading: tuple[Services, Attribution, dict[str, Any]],
) -> None:
    """What no arithmetic could find."""
    services, answer, _ = reading
    copy = ask(services, by_hand(3, 1))

    said = "\n".join(services.attributor.recompute(answer.id).taken)
    said_of_copy = "\n".join(services.attributor.recompute(copy.id).taken)

    assert "nothing was searched" in said
    assert "the shares that the voter classifier gave" in said
    assert "similarities" not in said
    assert "laid on" not in said
    assert copy.verdict is Verdict.COPY
    assert "that the image can be laid on the work is taken from the record" in said_of_copy


# ---- whatever was changed is found ---------------------------------------------------------------

Path_ = tuple[str | int, ...]


def leaves(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Yield where the values in JSON are."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for name, one in inside:
        if isinstance(one, dict | list) and one:
            yield from leaves(one, (*at, name))
        else:
            yield (*at, name)


def changed(value: Any, at: Path_) -> Any:
    """Return JSON with another value in one place."""
    copy = deepcopy(value)
    inside = copy
    for name in at[:-1]:
        inside = inside[name]
    inside[at[-1]] = other(inside[at[-1]])
    return copy


def other(value: Any) -> Any:
    """Return a value that is like another one, and differs."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value * 1.01 + 0.001
        case str() if len(value) > 100:  # a vector
            numbers = np.frombuffer(base64.b64decode(value), "<f4").copy()
            numbers[0] += 0.1
            return base64.b64encode(numbers.tobytes()).decode()
        case str() if is_id(value):
            return str(uuid4())
        case str():
            return f"{value}x"
        case _:
            return 0.5


def is_id(value: str) -> bool:
    """Tell whether a text is an id."""
    try:
        UUID(value)
    except ValueError:
        return False
    return True


def is_found(answer: Attribution, made_of: dict[str, Any]) -> bool:
    """Tell whether a change is noticed, or cannot be read at all."""
    try:
        return not recompute(answer, made_of).is_right
    except (LookupError, TypeError, ValueError):
        return True


@given(st.data())
@hypothesis_settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_change_of_what_is_kept_is_found(
    reading: tuple[Services, Attribution, dict[str, Any]], data: st.DataObject
) -> None:
    """Anywhere: a neighbour, a share, a weight, a number of the calibration, a vector."""
    _, answer, made_of = reading
    at = data.draw(st.sampled_from(sorted(leaves(made_of), key=str)))

    assert is_found(answer, changed(made_of, at)), at


STATED: dict[str, Callable[[Attribution], Attribution]] = {
    "verdict": lambda one: replace(one, verdict=Verdict.COPY),
    "reasons": lambda one: replace(one, reasons=()),
    "order": lambda one: replace(one, artists=one.artists[::-1]),
    "nobody": lambda one: replace(
        one, confidence=replace(one.confidence, nobody=0.01) if one.confidence else None
    ),
    "p-value of nobody": lambda one: replace(
        one, confidence=replace(one.confidence, p_nobody=0.99) if one.confidence else None
    ),
    "likely": lambda one: replace(
        one, confidence=replace(one.confidence, likely=7) if one.confidence else None
    ),
    "no confidence": lambda one: replace(one, confidence=None),
    "score": lambda one: with_first(one, score=0.9),
    "probability": lambda one: with_first(one, probability=0.99),
    "p-value": lambda one: with_first(one, p_value=0.123),
    "is likely": lambda one: with_first(one, is_likely=not one.artists[0].is_likely),
    "spaces": lambda one: with_first(one, spaces={"clip": 1.0}),
    "voters": lambda one: with_first(one, voters={"neighbours": 1.0}),
    "similarity": lambda one: with_first(
        one, works=(replace(one.artists[0].works[0], similarity={"clip": 0.123}),)
    ),
}


def with_first(answer: Attribution, **values: Any) -> Attribution:
    """Return an answer that says something else of the first artist."""
    first, *rest = answer.artists
    return replace(answer, artists=(replace(first, **values), *rest))


@pytest.mark.parametrize("what", STATED)
def test_a_figure_that_was_stated_otherwise_is_found(
    reading: tuple[Services, Attribution, dict[str, Any]], what: str
) -> None:
    """Whoever changes the answer, and no number that it was computed from."""
    services, *_ = reading
    answer = ask(services, by_hand(77, 3)) if what == "reasons" else reading[1]
    made_of = found(services, answer)
    other = STATED[what](answer)
    assert other != answer

    again = recompute(other, made_of)

    assert again.differing
    assert all(one.stated != one.found for one in again.differing)
    assert "the answer says" in again.differing[0].said


# ---- how long it is kept -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, True, 12345, -1e308, 1e308, "x", [], [[]], [1e308] * 9, {}, {"x": "y"}, {"x": [1e308]}],
    ids=repr,
)
def test_absurd_workings_are_no_answer_and_warn_of_nothing(
    reading: tuple[Services, Attribution, dict[str, Any]], value: Any
) -> None:
    """In each place: another answer comes out, or what whoever reads a pack expects is raised."""
    _, answer, made_of = reading
    places = [
        [*path, name]
        for path in ([], ["workings"], ["calibration"], ["calibration", "numbers"])
        for name in at(made_of, path)
    ]
    for *path, name in places:
        absurd = deepcopy(made_of)
        at(absurd, path)[name] = value
        with suppress(*UNREADABLE, BadInput):
            again = recompute(answer, absurd)
            assert not again.is_right or name == "vectors", (path, name)


def at(values: Any, path: list[str]) -> Any:
    """Return what is at a path of names."""
    return reduce(getitem, path, values)


@pytest.mark.parametrize("what", ["voters", "spaces", "dims"])
def test_more_than_any_answer_is_computed_from_is_refused(
    reading: tuple[Services, Attribution, dict[str, Any]], what: str
) -> None:
    """Before it takes all memory."""
    _, answer, made_of = reading
    huge = deepcopy(made_of)
    if what == "voters":
        huge["workings"]["ballots"] *= 1_000_000
    elif what == "spaces":
        huge["workings"]["neighbours"] = dict.fromkeys(
            map(str, range(1_000)), [["", "", 1.0]] * 1_000
        )
    else:
        huge["workings"]["vectors"] = {"clip": base64.b64encode(bytes(1 << 20)).decode()}

    with pytest.raises(BadInput, match="than any"):
        recompute(answer, huge)


def test_it_goes_when_its_time_is_over(services: Services) -> None:
    """With the image that was asked about; and the calibration with the last that rests on it."""
    answer = ask(services)
    with services.sessions.begin() as session:
        session.execute(update(Workings).values(until=now() - timedelta(seconds=1)))
        session.execute(update(UsedCalibration).values(used_at=now() - timedelta(hours=2)))

    reconcile(services, repair=True)

    assert (count(services, Workings), count(services, UsedCalibration)) == (0, 0)
    with pytest.raises(Conflict, match=r"cannot be computed again: .*LAWFUL_SUBJECT_DAYS"):
        services.attributor.recompute(answer.id)


def test_a_calibration_stays_for_as_long_as_an_answer_rests_on_it(services: Services) -> None:
    """Also when votes were calibrated again meanwhile."""
    answer = ask(services)
    with services.sessions.begin() as session:
        session.execute(update(UsedCalibration).values(used_at=now() - timedelta(hours=2)))
        numbers = session.scalars(select(KeptCalibration)).one()
        numbers.numbers, numbers.made_at = numbers.numbers | {"anew": 1}, now()
    reconcile(services, repair=True)
    ask(services)

    assert count(services, UsedCalibration) == 2
    assert services.attributor.recompute(answer.id).is_right


def test_it_goes_with_the_image_on_request(services: Services) -> None:
    """And is not kept again: its vectors show what the image shows."""
    answer = ask(services)
    with services.sessions() as session:
        subject, _ = queries.subject_of_answer(session, answer.id)
    assert subject

    upkeep.forget(services, subject.id, "asked for")
    ask(services)

    assert count(services, Workings) == 0
    with pytest.raises(Conflict, match="nothing is kept of image"):
        upkeep.forget(services, subject.id, "asked for")


def test_what_describes_an_image_goes_on_request_where_the_image_is_not_kept(
    services: Services,
) -> None:
    """Such as one that was drawn here."""
    answer = ask(services)
    with services.sessions.begin() as session:
        subject, _ = queries.subject_of_answer(session, answer.id)
        assert subject
        subject.kept, subject.until = Kept.NOTHING, None

    upkeep.forget(services, subject.id, "asked for")

    assert count(services, Workings) == 0


def test_digest_keeps_no_vector(calibrated_once: Path, tmp_path: Path) -> None:
    """The votes come out again; similarities are taken from the record."""
    copy_ingested(calibrated_once, tmp_path)
    digest = Settings(home=tmp_path / "home", profile="stub", subjects="digest")
    with open_services(digest) as opened:
        answer = ask(opened)
        again = opened.attributor.recompute(answer.id)
        made_of = found(opened, answer)

    assert made_of["workings"]["vectors"] is None
    assert again.is_right
    assert any("nothing that describes the image is kept" in one for one in again.taken)


def test_a_withdrawal_takes_it_from_answers_about_the_work(services: Services) -> None:
    """And about copies; other answers keep theirs, without the vectors of the work."""
    work = a_work(services, "artist-3", "work-1")
    copy, near = ask(services, by_hand(3, 1)), ask(services)
    assert copy.copy_of
    assert copy.copy_of.id == work.id
    cited = {one.id for artist in near.artists for one in artist.works}

    receipt = withdraw(services, "artist-3", reason="asked for").receipt

    assert receipt["removed"]["workings of answers"] == 1
    assert receipt["left"]["workings of answers"] == 0
    with pytest.raises(Conflict, match="or under a withdrawal"):
        services.attributor.recompute(copy.id)
    again = services.attributor.recompute(near.id)
    assert again.is_right
    gone = cited & {UUID(one) for one in receipt["works"]}
    assert gone
    assert any(f"similarities of {len(gone)} of {len(cited)} works" in one for one in again.taken)


def test_where_nobody_was_asked_nothing_can_be_computed(services: Services) -> None:
    """Nor of an answer that there is not."""
    answer = ask(services, Image.new("RGB", (64, 64), "white"))

    with pytest.raises(Conflict, match="cannot be computed again: nobody was asked whose it is"):
        services.attributor.recompute(answer.id)
    with pytest.raises(NotFound):
        services.attributor.recompute(uuid4())


# ---- asked again ---------------------------------------------------------------------------------


def test_a_question_is_asked_again(services: Services, tmp_path: Path) -> None:
    """A new answer beside the earlier one, and what has become different."""
    answer = ask(services)
    same = ask_again(services, services.attributor, answer.id)
    ingest(services, works(tmp_path / "new" / "another", 1, 2).parent)

    later = ask_again(services, services.attributor, answer.id, limit=1)

    assert same.answer.id != answer.id
    assert (same.answer.verdict, same.answer.artists) == (answer.verdict, answer.artists)
    assert not same.differences
    assert later.earlier == answer
    assert len(later.answer.artists) == 1
    assert any("are registered now" in one.said for one in later.differences)
    with services.sessions() as session:
        use = session.get(SubjectUse, later.answer.id)
    assert use
    assert (use.how, use.purpose) == (How.AGAIN, Purpose.CLAIM)


def test_an_image_that_is_not_kept_cannot_be_asked_about_again(services: Services) -> None:
    """It says why, and the way out."""
    answer = services.attributor.attribute(read_image(png(777)))

    with pytest.raises(Conflict, match=r"was not kept\. Send the image itself"):
        ask_again(services, services.attributor, answer.id)


# ---- doors ---------------------------------------------------------------------------------------


def test_the_api_computes_and_asks_again(client: TestClient) -> None:
    """Both lead back to the earlier answer."""
    upload(client, png(1), artist="ann")
    asked = client.post("/v1/attributions", files={"image": ("a.png", png(777))}).json()
    path = f"/v1/attributions/{asked['id']}"

    computed = client.get(f"{path}/recomputation").json()
    again = client.post(f"{path}/again")

    assert (computed["attribution"], computed["is_right"]) == (asked["id"], True)
    assert computed["said"].startswith("all ")
    assert (again.status_code, again.json()["earlier"]) == (201, asked["id"])
    assert again.headers["location"] == f"/v1/attributions/{again.json()['answer']['id']}"
    assert again.json()["earlier_summary"] == asked["summary"]
    nobody = f"/v1/attributions/{uuid4()}"
    is_problem(client.get(f"{nobody}/recomputation"), 404, "not-found")
    is_problem(client.post(f"{nobody}/again"), 404, "not-found")


def test_the_commands(calibrated_once: Path, tmp_path: Path) -> None:
    """`lawful recompute` says what comes out; `lawful again` shows both answers."""
    copy_ingested(calibrated_once, tmp_path)
    home = tmp_path / "home"
    with open_services(Settings(home=home, profile="stub")) as services:
        answer = ask(services)

    computed = lawful(home, "recompute", str(answer.id))
    asked = lawful(home, "again", str(answer.id))
    as_json = lawful(home, "again", str(answer.id), "--json")

    assert computed.returncode == 0, computed.stderr
    assert "come out as stated" in computed.stdout
    assert "today" in asked.stdout
    assert "everything that was compared is as it was" in asked.stdout
    assert json.loads(as_json.stdout)["earlier"] == str(answer.id)
