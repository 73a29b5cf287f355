"""Calibration: what the votes mean, found out on the registered works alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import update

from attribution.answers import Attribution, Reason, Verdict
from attribution.arithmetic.calibration import (
    FEWEST_WORKS,
    UNLIKE,
    Ballots,
    Calibration,
    Odds,
    Signs,
    alike_by_artist,
    judge,
    together,
    weighted_p_values,
)
from attribution.arithmetic.classifier import Statistics
from attribution.arithmetic.classifier import fit as solve
from attribution.arithmetic.familiarity import Familiarity
from attribution.arithmetic.fitting import Asked, fit
from attribution.arithmetic.reliability import NOT_MEASURED, Reliability, held_out
from attribution.arithmetic.voting import NEAREST, Ballot, cast
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import KeptCalibration
from attribution.config import Settings
from attribution.encoders.encoder import Lane
from attribution.encoders.stub import StubEncoder
from attribution.images import read_image_file
from attribution.index.points import Probe
from attribution.lookup.findings import find_ours
from attribution.lookup.wording import lanes
from attribution.services import Services, open_services
from attribution.types import Neighbour
from attribution.upkeep.calibrating import calibrate, calibrate_if_due, is_due, rests
from attribution.upkeep.withdrawal import withdraw
from attribution.voters.panel import Panel
from attribution.voters.seating import take_seats
from tests.homes import copy_ingested
from tests.portfolios import ingest, ingest_at_once, portfolio

ARTISTS = [UUID(int=number) for number in range(1, 9)]
VOTERS, SPACES = ["classifier", "neighbours"], ["clip"]


def some_ballots(rng: np.random.Generator, own: UUID | None) -> Ballots:
    """Make up what two voters say: both more for `own`, and its work nearer, than for others."""
    told = rng.normal(-3, 1, (len(ARTISTS), 3))
    if own is not None:
        told[ARTISTS.index(own)] += rng.normal(2, 1)
    near = rng.normal(0.6 if own else 0.5, 0.1, 1)
    return Ballots(tuple(ARTISTS), np.exp(told[:, :2, None]), told[:, 2:], near)


def some_asked(works: int, seed: int = 0) -> list[Asked]:
    """Make up works that were asked for."""
    rng = np.random.default_rng(seed)
    owners = [ARTISTS[number % len(ARTISTS)] for number in range(works)]
    return [Asked(owner, some_ballots(rng, owner), some_ballots(rng, None)) for owner in owners]


def calibration(works: int = 400) -> Calibration:
    """Fit a calibration on made-up works."""
    made = fit(some_asked(works), VOTERS, SPACES)
    assert made is not None
    return made


@given(st.integers(0, 1_000))
def test_probabilities_sum_to_one(seed: int) -> None:
    """The artists and nobody share all of the probability; p-values lie in (0, 1]."""
    rng = np.random.default_rng(seed)

    odds = calibration(40).odds(some_ballots(rng, ARTISTS[0]))

    assert sum(odds.artists.values()) + odds.nobody == pytest.approx(1)
    assert all(0 < value <= 1 for value in (odds.p_nobody, *odds.p_values.values()))


def test_confidence_is_as_often_right_as_it_says() -> None:
    """Of new images of the same kind, as many are right as the probabilities promise."""
    made, rng = calibration(), np.random.default_rng(7)
    owners = [ARTISTS[number % len(ARTISTS)] if number % 2 else None for number in range(4_000)]
    odds = [made.odds(some_ballots(rng, owner)) for owner in owners]

    best = [max(one.artists, key=lambda artist: one.artists[artist]) for one in odds]
    promised = np.mean([one.artists[artist] for one, artist in zip(odds, best, strict=True)])
    right = np.mean([artist == owner for artist, owner in zip(best, owners, strict=True)])
    assert promised == pytest.approx(right, abs=0.03)
    strangers = [one for one, owner in zip(odds, owners, strict=True) if owner is None]
    assert np.mean([one.nobody for one in odds]) == pytest.approx(0.5, abs=0.03)
    assert np.mean([one.p_nobody <= 0.1 for one in strangers]) == pytest.approx(0.1, abs=0.03)


def test_reliability_is_measured_on_questions_that_were_held_back() -> None:
    """Each work is two questions, in bins that ascend; half of them nobody can be right on."""
    found = held_out(some_asked(400), VOTERS, SPACES)

    assert found.questions == sum(one.questions for one in found.bins) == 800
    assert found.error == pytest.approx(0, abs=0.08)
    assert sum(one.right * one.questions for one in found.bins) <= 400
    for one in found.bins:
        assert one.lowest <= one.predicted <= one.highest
        assert one.right_from <= one.right <= one.right_to
    assert Reliability.of_json(json.loads(json.dumps(found.as_json()))) == found


def test_where_nothing_can_be_held_back_there_is_no_reliability() -> None:
    """What is just enough for a calibration is too little once some artists are left out."""
    asked = some_asked(FEWEST_WORKS)

    assert fit(asked, VOTERS, SPACES) is not None
    assert held_out(asked, VOTERS, SPACES) == NOT_MEASURED


def test_the_set_of_likely_artists_holds_the_right_one() -> None:
    """Nine of ten works by registered artists have their artist in the set."""
    made, rng = calibration(), np.random.default_rng(8)
    owners = [ARTISTS[number % len(ARTISTS)] for number in range(2_000)]

    held = [owner in (made.odds(some_ballots(rng, owner)).likely or ()) for owner in owners]

    assert np.mean(held) == pytest.approx(0.9, abs=0.03)


def test_more_from_a_voice_never_counts_against_an_artist() -> None:
    """No weight is negative, whatever the works say: here they say the opposite."""
    asked = [
        Asked(
            one.artist,
            one.known
            and replace(one.known, shares=1e-3 / one.known.shares, nearness=-one.known.nearness),
            one.stranger,
        )
        for one in some_asked(100)
    ]

    made = fit(asked, VOTERS, SPACES)

    assert made is not None
    assert (made.weights >= 0).all()


@pytest.mark.parametrize(
    "asked",
    [
        [],
        some_asked(FEWEST_WORKS - 1),
        [Asked(ARTISTS[0], one.known, one.stranger) for one in some_asked(100)],
        [Asked(one.artist, None, one.stranger) for one in some_asked(100)],
    ],
    ids=["nothing", "few works", "one artist", "one work an artist"],
)
def test_with_too_little_there_is_no_number(asked: list[Asked]) -> None:
    """Too few works, one artist, one work per artist: no calibration rather than a guess."""
    assert fit(asked, VOTERS, SPACES) is None


def test_what_is_kept_says_the_same() -> None:
    """A calibration from the database gives the same odds, but for rounding."""
    made, ballots = calibration(), some_ballots(np.random.default_rng(3), ARTISTS[2])

    again = Calibration.of_json(made.voices, made.as_json())

    assert again.odds(ballots).artists == pytest.approx(made.odds(ballots).artists, abs=1e-3)


def test_an_image_that_nothing_is_near() -> None:
    """Without one artist to name, nobody has the whole probability."""
    silent = [Ballot(voter, {}) for voter in VOTERS]

    odds = calibration().odds(Ballots.of(silent, SPACES))

    assert (odds.nobody, odds.artists, odds.likely) == (1, {}, [])


def test_a_big_portfolio_beside_a_small_one_is_defined() -> None:
    """One artist with very many works beside artists with one: every share is finite."""
    rng = np.random.default_rng(0)
    owners = [ARTISTS[0]] * 5_000 + ARTISTS[1:]
    rows = rng.normal(size=(len(owners), 12)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    classifier = solve(Statistics.of(owners, rows), {"clip": 12})
    assert classifier is not None

    for row, owner in ((rows[0], ARTISTS[0]), (rows[-1], ARTISTS[-1])):
        shares = classifier.shares_without({"clip": row}, owner, [{"clip": row}])
        assert sum(shares.values()) == pytest.approx(1)
        assert np.isfinite(list(shares.values())).all()
    assert shares[ARTISTS[-1]] == 0  # who has no other work


def test_leaving_a_work_out_is_as_if_it_had_been_withdrawn() -> None:
    """`shares_without` is what a classifier without these works says, up to centre and prior."""
    rng = np.random.default_rng(1)
    owners = [ARTISTS[number % 8] for number in range(2_000)]
    hands = rng.normal(size=(8, 16))
    rows = (hands[np.arange(2_000) % 8] + rng.normal(size=(2_000, 16))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    whole = solve(Statistics.of(owners, rows), {"clip": 16})
    gone = [5, 13, 21]
    left = np.setdiff1d(np.arange(2_000), gone)
    rest = solve(Statistics.of([owners[row] for row in left], rows[left]), {"clip": 16})
    assert whole is not None
    assert rest is not None

    asked = {"clip": rows[5]}
    said = whole.shares_without(asked, owners[5], [{"clip": rows[row]} for row in gone])

    assert said == pytest.approx(rest.shares(asked), abs=1e-3)
    assert said[owners[5]] < whole.shares(asked)[owners[5]]


def test_near_duplicates_in_a_set_count_once() -> None:
    """Ten copies of one picture say no more than the picture; ten pictures do."""
    shares = {ARTISTS[0]: 0.6, ARTISTS[1]: 0.2}
    odds = Odds(shares, 0.2, 0.04, {ARTISTS[0]: 0.5, ARTISTS[1]: 0.2}, 0.01, 0.7)

    one, copies = together([odds], [0]), together([odds] * 10, [0] * 10)
    many = together([odds] * 10, list(range(10)))

    assert copies.artists == pytest.approx(one.artists)
    assert many.artists[ARTISTS[0]] > 0.9 > one.artists[ARTISTS[0]]
    assert many.p_nobody == pytest.approx(0.08)  # twice the mean: they may all depend
    assert (many.p_unnamed, many.p_familiar) == pytest.approx((0.02, 0.7))


@pytest.mark.parametrize(
    ("nobody", "p_nobody", "p_values", "p_familiar", "verdict", "reasons"),
    [
        (0.05, 0.01, [0.6, 0.01], 0.5, Verdict.ATTRIBUTED, ()),
        (0.05, 0.01, [0.6, 0.01], 0.15, Verdict.CANDIDATES, (Reason.UNUSUAL,)),
        (0.05, 0.01, [0.6, 0.01], 0.05, Verdict.ABSTAIN, (Reason.UNLIKE_ANYTHING,)),
        (0.2, 0.2, [0.6, 0.01], 0.5, Verdict.CANDIDATES, (Reason.UNKNOWN_ARTIST,)),
        (0.2, 0.01, [0.6, 0.3], 0.5, Verdict.CANDIDATES, (Reason.SEVERAL_ARTISTS,)),
        (
            *(0.7, 0.4, [0.6, 0.3], 0.5, Verdict.ABSTAIN),
            (Reason.UNKNOWN_ARTIST, Reason.SEVERAL_ARTISTS),
        ),
        (0.2, 0.01, [0.02, 0.01], 0.5, Verdict.ABSTAIN, (Reason.SPACES_DISAGREE,)),
        (0.2, 0.01, [0.3] * 11, 0.5, Verdict.ABSTAIN, (Reason.SEVERAL_ARTISTS,)),
    ],
)
def test_verdicts(
    nobody: float,
    p_nobody: float,
    p_values: list[float],
    p_familiar: float,
    verdict: Verdict,
    reasons: tuple[Reason, ...],
) -> None:
    """One likely artist and no stranger is an attribution; the rest says what is missing."""
    artists = [UUID(int=number) for number in range(1, 12)]
    shares = dict(zip(artists, [(1 - nobody) * 0.8, (1 - nobody) * 0.2], strict=False))
    by_artist = dict(zip(artists, p_values, strict=False))
    odds = Odds(shares, nobody, p_nobody, by_artist, 0.01, p_familiar)

    assert judge(Signs.of(odds), known_works=20) == (verdict, reasons)
    if verdict is Verdict.ATTRIBUTED:
        by_subject = judge(Signs.of(odds, is_by_subject=True), known_works=20)
        assert by_subject == (Verdict.CANDIDATES, (Reason.SAME_SUBJECT,))


def test_a_set_of_everybody_is_no_set() -> None:
    """Where one true artist in ten is not even named, nobody can be ruled out: there is no set."""
    asked = some_asked(400)
    others = tuple(UUID(int=number) for number in range(101, 109))
    unnamed = [
        replace(one, known=replace(one.known, artists=others)) if number % 5 == 0 else one
        for number, one in enumerate(asked)
        if one.known
    ]
    some, made = calibration(), fit(unnamed, VOTERS, SPACES)
    assert made is not None
    image = some_ballots(np.random.default_rng(9), ARTISTS[0])

    assert some.odds(image).likely is not None
    assert made.odds(image).p_unnamed == pytest.approx(0.2, abs=0.01)
    assert made.odds(image).likely is None


def test_strangers_weigh_alike_by_artist() -> None:
    """An artist with a hundred works is one stranger, not a hundred."""
    weights = alike_by_artist(["prolific"] * 90 + ["one", "two", "three"])
    scores = np.concatenate([np.full(90, 5.0), [1.0, 2.0, 3.0]])
    order = np.argsort(scores)

    found = weighted_p_values(scores[order], weights[order], np.array([0.0, 2.5, 4.0, 6.0]))

    assert weights.mean() == pytest.approx(1)
    assert found == pytest.approx([1, (1 + 93 / 2) / 94, (1 + 93 / 4) / 94, 1 / 94])
    assert weighted_p_values(scores[order], 1.00001 * weights[order], np.zeros(1)) <= 1


def test_an_image_is_as_familiar_as_registered_works_are() -> None:
    """Of works like those registered one in twenty is unlike them; of an image far off all are."""
    rng = np.random.default_rng(3)
    weights = np.array([0.7, 0.3])
    known = rng.normal([0.6, 0.9], [0.1, 0.01], (1_000, 2))
    measured = Familiarity.of(known, weights)

    again = rng.normal([0.6, 0.9], [0.1, 0.01], (2_000, 2))
    values = np.array([measured.p_value(one, weights) for one in again])

    assert np.mean(values <= 0.05) == pytest.approx(0.05, abs=0.02)
    assert measured.p_value(np.array([0.3, 0.8]), weights) == pytest.approx(1 / 1_001)
    assert Familiarity.of_json(measured.as_json()).p_value(again[0], weights) == pytest.approx(
        values[0], abs=2e-3
    )


def test_a_space_in_which_all_works_are_alike_says_nothing_strange() -> None:
    """Line art has one palette: what is kept of such a space is a number, and so is the answer."""

    def in_two_spaces(one: Ballots) -> Ballots:
        return replace(
            one,
            shares=np.repeat(one.shares, 2, axis=2),
            nearness=np.repeat(one.nearness, 2, axis=1),
            closeness=np.array([*one.closeness, 1.0]),
        )

    asked = [
        replace(
            one, known=one.known and in_two_spaces(one.known), stranger=in_two_spaces(one.stranger)
        )
        for one in some_asked(60)
    ]
    made = fit(asked, VOTERS, ["clip", "palette"])
    assert made is not None
    again = Calibration.of_json(made.voices, made.as_json())
    image = in_two_spaces(some_ballots(np.random.default_rng(1), ARTISTS[0]))

    alike, coloured = (
        again.odds(replace(image, closeness=np.array([0.6, palette]))) for palette in (1.0, 0.4)
    )

    assert 0 < alike.nobody < 1
    assert alike.p_familiar > UNLIKE
    assert coloured.nobody == pytest.approx(1)
    assert coloured.p_familiar <= UNLIKE


def test_a_set_of_images_of_another_kind_is_nobodys() -> None:
    """Whom no image names alone, all together do not name either."""
    odds = Odds({ARTISTS[0]: 0.9}, 0.1, 0.01, {ARTISTS[0]: 0.9}, 0.01, 0.04)

    many = together([odds] * 3, [0, 1, 2])

    for found in (odds, many):
        assert judge(Signs.of(found), known_works=9)[0] is Verdict.ABSTAIN


def hands(folder: Path, artists: int = 8, works: int = 8) -> Path:
    """Make portfolios in which an artist is a colour, and every work another pattern of it."""
    rng = np.random.default_rng(5)
    for artist in range(artists):
        tint = rng.uniform(0.1, 1, 3)
        for work in range(works):
            cells = rng.uniform(40, 255, (8, 8, 1)) * tint
            path = folder / f"artist-{artist}" / f"work-{work}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(cells.astype(np.uint8)).resize((96, 96), Image.Resampling.BOX).save(
                path
            )
    return folder


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a `home` with artists who can be told apart; of each one work stays out, in `asked`."""
    made = tmp_path_factory.mktemp("registered")
    folder = hands(made / "p")
    (made / "asked").mkdir()
    for artist in folder.iterdir():
        (artist / "work-0.png").rename(made / "asked" / f"{artist.name}.png")
    with open_services(Settings(home=made / "home", profile="stub")) as opened:
        ingest(opened, folder)
        with opened.sessions.begin() as session:  # the queue may have begun one
            queries.forget_calibration(session, opened.row.fingerprint)
    return made


@pytest.fixture
def services(registered: Path, tmp_path: Path) -> Iterator[Services]:
    """Open a copy of that collection."""
    copy_ingested(registered, tmp_path)
    settings = Settings(home=tmp_path / "home", profile="stub", lookup_wait_s=60)
    with open_services(settings) as opened:
        yield opened


def kept(services: Services) -> KeptCalibration | None:
    """Return the calibration as it is kept."""
    with services.sessions() as session:
        return queries.calibration_of(session, services.row.fingerprint)


def due(services: Services) -> bool:
    """Tell whether a calibration is due."""
    with services.sessions() as session:
        return is_due(session, services)


def ask(services: Services, path: Path) -> Attribution:
    """Attribute an image."""
    return services.attributor.attribute(read_image_file(path))


def test_an_answer_has_probabilities_once_calibrated(services: Services, tmp_path: Path) -> None:
    """Before: shares, `not_calibrated`, no number. After: probabilities, and on what they rest."""
    path = tmp_path / "asked" / "artist-3.png"
    before = ask(services, path)
    assert due(services)

    assert calibrate_if_due(services) is not None

    after = ask(services, path)
    assert (made := kept(services)) is not None
    assert made.reliability["questions"] == 2 * 56
    assert (before.confidence, before.artists[0].probability) == (None, None)
    assert Reason.NOT_CALIBRATED in before.reasons
    assert after.confidence is not None
    assert after.confidence.calibrated.asked == 56
    assert after.artists[0].slug == "artist-3"
    total = sum(one.probability or 0 for one in after.artists) + after.confidence.nobody
    assert total == pytest.approx(1, abs=0.05)  # of eight artists five are shown
    assert services.attributor.recall(after.id) == after


def test_nothing_is_calibrated_on_an_index_that_lacks_works(
    services: Services, tmp_path: Path
) -> None:
    """Its answers have shares and the numbers, no probability; nor is a calibration made."""
    calibrate_if_due(services)
    with services.sessions() as session:
        work = queries.list_artworks(session).items[0]
    services.index.delete([work.id])
    path = tmp_path / "asked" / "artist-3.png"

    answer = ask(services, path)
    both = services.attributor.attribute_set([read_image_file(path)])
    assert services.attributor.recall(answer.id) == answer
    withdraw(services, "artist-7", reason="asked for")

    assert answer.reasons[0] is Reason.INCOMPLETE_INDEX
    assert (answer.searched.points, answer.searched.works) == (55, 56)
    assert answer.confidence is None
    assert {artist.probability for artist in answer.artists} == {None}
    assert both.reasons == (Reason.INCOMPLETE_INDEX,)
    assert find_ours([answer]).incomplete == 1
    assert due(services)
    assert calibrate_if_due(services) is None


def test_a_calibration_is_made_anew_when_the_catalogue_changes(
    services: Services, tmp_path: Path
) -> None:
    """Nothing changed: not due. One work of 56 more: not yet. A withdrawal: at once."""
    calibrate_if_due(services)
    assert not due(services)
    assert calibrate_if_due(services) is None

    (tmp_path / "more").mkdir()
    (tmp_path / "asked" / "artist-3.png").rename(tmp_path / "more" / "work.png")
    ingest(services, tmp_path / "more", artist="artist-3")
    assert not due(services)

    withdraw(services, "artist-7", reason="asked for")
    assert due(services)
    calibrate_if_due(services)
    assert (made := kept(services)) is not None
    assert made.artists == 7


def test_whoever_comes_again_lets_time_pass_unless_something_was_withdrawn(
    services: Services, tmp_path: Path
) -> None:
    """Ten times what the last one took: a load without end is not spent calibrating."""
    calibrate(services)
    first = kept(services)
    assert first is not None
    assert first.seconds
    ingest_at_once(services, portfolio(tmp_path / "more"))  # a queue would calibrate behind it
    assert due(services)

    with services.sessions.begin() as session:
        session.execute(update(KeptCalibration).values(seconds=3600))
    assert calibrate_if_due(services, comes_again=True) is None
    with services.sessions() as session:
        assert rests(session, services)
        others = replace(services, settings=Settings(profile="stub", voters=["classifier"]))
        assert not rests(session, others)
    with services.sessions.begin() as session:
        session.execute(update(KeptCalibration).values(made_at=now() - timedelta(hours=11)))
    assert calibrate_if_due(services, comes_again=True) is not None
    with services.sessions.begin() as session:
        session.execute(update(KeptCalibration).values(seconds=3600))
    withdraw(services, "artist-7", reason="asked for")
    assert calibrate_if_due(services, comes_again=True) is not None


def test_a_withdrawal_during_a_calibration_is_noticed(services: Services) -> None:
    """What changes while works are asked for counts as a change behind it: it is due again."""
    asked: list[int] = []

    def interrupt(done: int, _all: int) -> None:
        asked.append(done)
        if done == 20:
            withdraw(services, "artist-0", reason="asked for")

    calibrate(services, progress=interrupt)

    assert len(asked) == 56
    assert due(services)


def test_an_older_calibration_never_takes_the_place_of_a_newer(services: Services) -> None:
    """Of two that overlap the one that began later stays, whichever ends last."""
    calibrate(services)
    newer = kept(services)
    assert newer is not None
    older = {
        column.key: getattr(newer, column.key) for column in KeptCalibration.__table__.columns
    } | {"made_at": newer.made_at - timedelta(minutes=1), "works": 7}

    with services.sessions.begin() as session:
        queries.keep_calibration(session, KeptCalibration(**older))

    assert (found := kept(services)) is not None
    assert found.works == newer.works


def test_many_lookups_at_once_do_not_wait_for_each_other(
    services: Services, tmp_path: Path
) -> None:
    """Two dozen threads ask at once, each for what needs several connections: all answer."""
    calibrate(services)
    image = read_image_file(tmp_path / "asked" / "artist-3.png")

    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(lambda _: services.attributor.attribute(image), range(24)))

    assert {answer.artists[0].slug for answer in answers} == {"artist-3"}


def test_a_calibration_after_a_withdrawal_is_as_if_never_added(
    services: Services, tmp_path: Path
) -> None:
    """The numbers are a function of what is registered now: a withdrawn artist is in none."""
    withdraw(services, "artist-7", reason="asked for")
    calibrate(services)
    without = kept(services)

    with open_services(Settings(home=tmp_path / "other", profile="stub")) as other:
        shutil.rmtree(tmp_path / "p" / "artist-7")
        ingest(other, tmp_path / "p")
        calibrate(other)
        never = kept(other)

    assert without is not None
    assert never is not None
    numbers = ("spaces", "weights", "nobody", "misfits", "strangers", "stranger_weights")
    for name in numbers:
        assert without.numbers[name] == pytest.approx(never.numbers[name], abs=1e-3)


def test_a_catalogue_emptied_by_withdrawals_names_nobody(
    services: Services, tmp_path: Path
) -> None:
    """No works, no numbers: the answer abstains and says why."""
    calibrate_if_due(services)
    for number in range(8):
        withdraw(services, f"artist-{number}", reason="asked for")
    calibrate_if_due(services)

    answer = ask(services, tmp_path / "asked" / "artist-3.png")

    assert answer.verdict is Verdict.ABSTAIN
    assert (answer.artists, answer.confidence) == ((), None)
    assert Reason.TOO_FEW_ARTISTS in answer.reasons


def test_a_blank_image_is_nobodys(services: Services, tmp_path: Path) -> None:
    """An image that shows nothing is attributed to nobody, whatever it is near."""
    calibrate_if_due(services)
    Image.new("RGB", (200, 200), "white").save(tmp_path / "blank.png")

    answer = ask(services, tmp_path / "blank.png")

    assert (answer.verdict, answer.reasons) == (Verdict.ABSTAIN, (Reason.LOW_QUALITY,))
    assert (answer.confidence, answer.artists) == (None, ())


def test_an_image_of_another_kind_is_nobodys(services: Services, tmp_path: Path) -> None:
    """Two halves asked of tinted blocks: somebody is nearest, nobody is named, and why is said."""
    calibrate_if_due(services)
    halves = np.zeros((96, 96, 3), np.uint8)
    halves[:, :48, 0], halves[:, 48:, 1:] = 255, 255
    Image.fromarray(halves).save(tmp_path / "halves.png")

    answer = ask(services, tmp_path / "halves.png")

    assert answer.confidence is not None
    assert answer.confidence.p_familiar is not None
    assert answer.confidence.p_familiar <= 0.05
    assert answer.verdict is Verdict.ABSTAIN
    assert Reason.UNLIKE_ANYTHING in answer.reasons
    assert f"artist's work: p = {answer.confidence.p_familiar:.3f}." in lanes(answer)["style"]
    own = ask(services, tmp_path / "asked" / "artist-3.png")
    assert Reason.UNLIKE_ANYTHING not in own.reasons
    assert "as near as" not in lanes(own)["style"]


def test_works_that_are_all_alike_are_not_calibrated_on(tmp_path: Path) -> None:
    """A series of one picture has no other picture to be known by: no number, no failure."""
    folder = tmp_path / "p"
    for artist in range(6):
        (folder / f"artist-{artist}").mkdir(parents=True)
        for work in range(8):
            image = Image.linear_gradient("L").convert("RGB")
            image.putpixel((work, artist), (255, 0, 0))
            image.save(folder / f"artist-{artist}" / f"{work}.png")
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        ingest(services, folder)

        assert calibrate_if_due(services) is None
        assert not due(services)  # it was looked at, and too little found


def test_one_artist_alone_is_not_calibrated(tmp_path: Path) -> None:
    """With one artist nobody can be told apart: the answer abstains."""
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        ingest(services, portfolio(tmp_path / "p", artists=1, works=8))
        calibrate_if_due(services)
        hands(tmp_path / "q", artists=1, works=1)

        answer = ask(services, tmp_path / "q" / "artist-0" / "work-0.png")

        assert answer.verdict is Verdict.ABSTAIN
        assert Reason.TOO_FEW_ARTISTS in answer.reasons


def test_images_by_one_hand_get_one_answer(services: Services, tmp_path: Path) -> None:
    """A set is surer than its images, and its near-duplicates count once."""
    calibrate_if_due(services)
    path = tmp_path / "asked" / "artist-3.png"
    turned = tmp_path / "again.png"
    Image.open(path).resize((120, 120)).transpose(Image.Transpose.ROTATE_90).save(turned)

    found = services.attributor.attribute_set([read_image_file(one) for one in (path, turned)])

    assert found.pictures == 1
    assert found.artists[0].slug == "artist-3"
    assert len(found.answers) == 2


def test_a_subject_attributes_no_set(services: Services, tmp_path: Path) -> None:
    """Where the subject speaks for the artist of an image, it speaks for that of the set."""
    calibrate_if_due(services)
    asked = [read_image_file(tmp_path / "asked" / "artist-3.png")]
    services.attributor.attribute_set(asked)  # the voters are seated
    # No space of style leads, as this one does not vote.
    services.row.lanes = {"clip": Lane.CONTENT, "vae_layout": Lane.STYLE}

    found = services.attributor.attribute_set(asked)

    assert Reason.SAME_SUBJECT in found.answers[0].reasons
    assert Reason.SAME_SUBJECT in found.reasons


def test_an_image_that_shows_too_little_is_left_out_of_a_set(
    services: Services, tmp_path: Path
) -> None:
    """A tiny image beside a good one takes nothing away from it: calibrated is calibrated."""
    calibrate_if_due(services)
    good, tiny = tmp_path / "asked" / "artist-3.png", tmp_path / "tiny.png"
    Image.open(tmp_path / "asked" / "artist-5.png").resize((20, 20)).save(tiny)

    alone, both = (
        services.attributor.attribute_set([read_image_file(one) for one in paths])
        for paths in ([good], [good, tiny])
    )

    assert Reason.LOW_QUALITY in both.answers[1].reasons
    assert (both.pictures, both.verdict, both.artists) == (1, alone.verdict, alone.artists)
    assert both.nobody is not None


def test_findings_are_the_surest(services: Services, tmp_path: Path) -> None:
    """Of known and strange images those that are ours are found, at the rate that is asked for."""
    calibrate_if_due(services)
    hands(tmp_path / "strange", artists=1, works=1)
    answers = [ask(services, path) for path in sorted((tmp_path / "asked").iterdir())]

    found = find_ours(answers, level=0.2)

    assert found.images == 8
    p_values = {one.id: one.confidence.p_nobody for one in answers if one.confidence}
    assert found.style  # so that there is something to compare
    others = set(p_values) - set(found.style)
    assert max((p_values[one] for one in found.style), default=0) <= min(
        (p_values[one] for one in others), default=1
    )


def test_only_the_spaces_that_vote_are_heard(services: Services, tmp_path: Path) -> None:
    """Never those of copies; and a calibration by other spaces does not speak of them."""
    calibrate(services)
    encoders, seats = services.row.fingerprint, take_seats(services)
    image = read_image_file(tmp_path / "asked" / "artist-3.png")
    vectors = {space: rows[0] for space, rows in StubEncoder().encode([image.rgb]).items()}
    near = services.index.neighbours(Probe(vectors), limit=NEAREST)

    panels = [
        Panel(services.sessions, encoders, seats, spaces)
        for spaces in (["clip"], list(services.row.voting))
    ]
    some, every = (panel.ask(vectors, near, {}) for panel in panels)

    assert {space for vote in some.votes for space in vote.spaces} == {"clip"}
    assert (some.weights, some.odds) == ({"clip": 1.0}, None)
    assert {space for vote in every.votes for space in vote.spaces} == {"clip", "vae_style"}
    assert every.odds is not None


def test_neighbours_of_the_artist_rise_above_the_last() -> None:
    """A voice for nearness: the best work's cosine above the last neighbour's."""
    hits = [Neighbour(UUID(int=9), ARTISTS[0], 0.9, 1), Neighbour(UUID(int=8), ARTISTS[1], 0.4, 2)]

    ballots = Ballots.of([cast("neighbours", {"clip": hits}, {}, {"clip": 1.0})], SPACES)

    assert ballots.artists == (ARTISTS[0], ARTISTS[1])
    assert ballots.nearness[:, 0].tolist() == pytest.approx([0.5, 0.0])
