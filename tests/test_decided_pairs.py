"""Pairs of images and works: from decisions that hold, and from nothing else."""

from __future__ import annotations

import io
from pathlib import Path
from uuid import UUID

import pytest
from rich.console import Console

from api.cli.render import show_attribution
from api.reports.decided import decided_about
from attribution import tenants
from attribution.actors import Actor, acting
from attribution.cases import Assessed, CaseKind, CaseOutcome, Ground
from attribution.catalogue.queries import desk, pairs
from attribution.catalogue.queries.pairs import Pair
from attribution.desk import judging, opening
from attribution.desk.judging import NewDecision
from attribution.desk.opening import NewCase
from attribution.images import read_image_file
from attribution.services import Services
from attribution.upkeep.withdrawal import withdraw

ANN, BOB, EVE = (Actor(f"key lk_{name}") for name in ("ann", "bob", "eve"))
OTHER = NewDecision(CaseOutcome.MATCH_REJECTED, Ground.SAME_SUBJECT, "two photographs")
NO_PROOF = NewDecision(CaseOutcome.MATCH_REJECTED, Ground.NO_EVIDENCE, "nothing to compare")
CONFIRMED = NewDecision(CaseOutcome.MATCH_CONFIRMED, Ground.SAME_PICTURE, "it shows the work")
GRANTED = NewDecision(CaseOutcome.APPEAL_GRANTED, Ground.SAME_PICTURE, "it shows the work")


def copies(tmp_path: Path, artist: int) -> list[Path]:
    """Return the files of an artist's works."""
    return sorted((tmp_path / "p" / f"artist-{artist}").glob("*.png"))


def case_of(services: Services, *files: Path) -> UUID:
    """Open a case about files of works."""
    answers = [services.attributor.attribute(read_image_file(one)).id for one in files]
    return opening.open_case(services, NewCase(CaseKind.MATCH, "a print", answers)).case.id


def assess(services: Services, case: UUID, verdict: Assessed) -> None:
    """Assess all findings."""
    with services.sessions() as session:
        found = [one.id for one in desk.list_case_findings(session, case).items]
    judging.assess(services, case, found, verdict, "seen side by side")


def listed(services: Services, limit: int = 100) -> list[Pair]:
    """Return all pairs, page by page."""
    found: list[Pair] = []
    cursor = None
    while True:
        with services.sessions() as session:
            page = pairs.list_pairs(session, cursor=cursor, limit=limit)
        found += page.items
        if (cursor := page.next) is None:
            return found


def test_a_pair_is_there_when_its_decision_holds(services: Services, tmp_path: Path) -> None:
    """Neither when it is assessed, nor while it waits for the second person or is open again."""
    case = case_of(services, copies(tmp_path, 0)[0])
    counted = []
    with acting(ANN):
        assess(services, case, Assessed.CONFIRMED)
        counted.append(len(listed(services)))
        judging.decide(services, case, CONFIRMED)
        counted.append(len(listed(services)))
    with acting(BOB):
        judging.second(services, case)
        (pair,) = listed(services)
        judging.reopen(services, case, "a better scan")
        counted.append(len(listed(services)))

    assert counted == [0, 0, 0]
    assert (pair.is_match, pair.case.id, pair.decision.number) == (True, case, 1)
    with services.sessions() as session:
        (finding,) = desk.list_case_findings(session, case).items
    assert str(pair.artwork_id) == finding.about["work"]


@pytest.mark.parametrize(
    ("decision", "verdict", "said"),
    [
        (OTHER, Assessed.REJECTED, [False]),
        (OTHER, Assessed.UNCLEAR, []),
        (NO_PROOF, Assessed.REJECTED, []),
    ],
    ids=["another picture", "unclear", "no evidence"],
)
def test_only_a_reason_about_the_pictures_makes_a_negative_pair(
    services: Services, tmp_path: Path, decision: NewDecision, verdict: Assessed, said: list[bool]
) -> None:
    """And only of findings that were rejected."""
    case = case_of(services, copies(tmp_path, 0)[0])
    assess(services, case, verdict)
    judging.decide(services, case, decision)

    assert [one.is_match for one in listed(services)] == said


def test_a_later_answer_is_told_with_what_people_decided(
    services: Services, tmp_path: Path
) -> None:
    """As long as the decision holds; the machine says what it said."""
    file = copies(tmp_path, 0)[0]
    case = case_of(services, file)
    assess(services, case, Assessed.REJECTED)
    judging.decide(services, case, OTHER)
    again = services.attributor.attribute(read_image_file(file))

    told = decided_about(services, again.image_sha256)
    judging.reopen(services, case, "a better scan")

    assert again.copy_of
    (said,) = told
    assert said.startswith("Case 1 is about this image, and was decided on 20")
    assert said.endswith(
        "The image does not show the registered work, in the judgement of the reviewers."
    )
    assert decided_about(services, again.image_sha256) == []
    shown = io.StringIO()
    show_attribution(Console(file=shown, width=300), "x.png", again, told)
    assert said in shown.getvalue()


def test_a_granted_appeal_takes_pairs_out(services: Services, tmp_path: Path) -> None:
    """When it holds; not while it is open."""
    case = case_of(services, copies(tmp_path, 0)[0])
    with acting(ANN):
        assess(services, case, Assessed.REJECTED)
        judging.decide(services, case, OTHER)
        filed = opening.appeal(services, case, "look again").case.id
    with acting(BOB):
        assess(services, filed, Assessed.CONFIRMED)
        judging.decide(services, filed, GRANTED)
        waiting = len(listed(services))
    with acting(EVE):
        judging.second(services, filed)

    assert (waiting, listed(services)) == (1, [])


def test_pairs_come_in_pages_and_go_with_their_works(services: Services, tmp_path: Path) -> None:
    """Of the newest case first; another tenant has none."""
    older = case_of(services, *copies(tmp_path, 0)[:2])
    newer = case_of(services, *copies(tmp_path, 1)[:2])
    for case in (older, newer):
        assess(services, case, Assessed.REJECTED)
        judging.decide(services, case, OTHER)

    by_page = [(one.case.id, one.image_sha256) for one in listed(services, limit=1)]

    assert by_page == [(one.case.id, one.image_sha256) for one in listed(services)]
    assert [case for case, _ in by_page] == [newer, newer, older, older]
    withdraw(services, "artist-1", reason="asked for")
    assert [one.case.id for one in listed(services, limit=1)] == [older, older]
    with tenants.within("museum"):
        assert listed(services) == []
