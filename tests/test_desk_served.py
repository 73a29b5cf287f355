"""Cases over HTTP and in the terminal: what three people with keys of their own do, end to end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from api.http.app import create_app
from api.http.routes import evidence
from attribution.actors import Role
from attribution.config import Settings
from attribution.desk.verification import verify
from tests.apis import is_problem, local_client, png, settings, upload
from tests.commands import lawful
from tests.contract import watched
from tests.databases import at_once
from tests.keys import bearing, make_key

WORDS = "it shows the registered work"
CONFIRMED = {"outcome": "match_confirmed", "ground": "same_picture", "words": WORDS}
REJECTED = {"outcome": "match_rejected", "ground": "other_picture", "words": "two drawings"}


@dataclass(frozen=True)
class Person:
    """Somebody with a key of their own."""

    client: TestClient
    token: str

    @property
    def name(self) -> str:
        """Return how the desk calls them."""
        return f"key {self.token[:11]}"

    def get(self, path: str, **sent: Any) -> Any:
        """Ask for something below /v1/cases."""
        return self.client.get(f"/v1/cases{path}", headers=bearing(self.token), **sent)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """Send something there."""
        sent = bearing(self.token) | headers
        return self.client.post(f"/v1/cases{path}", json=body, headers=sent)


@dataclass(frozen=True)
class Team:
    """A served collection with a work by Ann Example, and who judges."""

    ann: Person
    bob: Person
    eve: Person
    agent: Person  # acts for Ann Example
    operator: Person
    auditor: Person
    answer: dict[str, Any]  # about the work's file


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    """Serve it to people with keys."""
    chosen = settings(tmp_path / "home")
    with local_client(create_app(chosen), raise_server_exceptions=False) as client:
        watched(client)
        upload(client, png(1), artist="Ann Example", title="Red boat")
        answer = client.post("/v1/attributions", files={"image": png(1)}).json()

        def person(role: Role) -> Person:
            return Person(client, make_key(chosen, role).token)

        yield Team(
            ann=person(Role.REVIEWER),
            bob=person(Role.REVIEWER),
            eve=person(Role.REVIEWER),
            agent=person(Role.REVIEWER),
            operator=person(Role.OPERATOR),
            auditor=person(Role.AUDITOR),
            answer=answer,
        )


@pytest.fixture
def case(team: Team) -> dict[str, Any]:
    """Open a case about the answer."""
    opened: dict[str, Any] = opened_by(team.ann, team).json()
    return opened


def opened_by(person: Person, team: Team, kind: str = "match") -> Any:
    """Open a case about the answer, of which the artist is a party."""
    return person.post(
        "",
        {
            "kind": kind,
            "title": "a print",
            "attributions": [team.answer["id"]],
            "parties": [{"role": "artist", "artist": "ann-example", "account": team.agent.name}],
        },
    )


def assess(person: Person, case: dict[str, Any], verdict: str = "confirmed") -> Any:
    """Assess all findings of a case."""
    findings = person.get(f"/{case['id']}/findings").json()["items"]
    ids = [one["id"] for one in findings]
    body = {"findings": ids, "verdict": verdict, "why": "the strokes"}
    return person.post(f"/{case['id']}/assessments", body)


def decided(team: Team, case: dict[str, Any]) -> dict[str, Any]:
    """Have Ann decide a case and Bob second it."""
    assess(team.ann, case)
    team.ann.post(f"/{case['id']}/decisions", CONFIRMED)
    done: dict[str, Any] = team.bob.post(f"/{case['id']}/second").json()
    return done


def test_from_a_lookup_to_an_appeal(team: Team) -> None:
    """Opened from an answer, assessed, decided, seconded, closed, appealed against."""
    made = opened_by(team.ann, team)
    again = opened_by(team.bob, team)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.headers["location"] == again.headers["location"]
    case = made.json()
    assert team.ann.post("/next").json()["case"]["id"] == case["id"]
    assert team.bob.post("/next").json() == {"case": None}

    done = decided(team, case)
    closed = team.bob.post(f"/{case['id']}/close").json()
    appeal = team.bob.post(f"/{case['id']}/appeals", {"text": "a licence was shown"}).json()
    assess(team.eve, appeal, "rejected")
    granted = {"outcome": "appeal_granted", "ground": "licensed", "words": "the licence holds"}
    waiting = team.eve.post(f"/{appeal['id']}/decisions", granted).json()

    (decision,) = done["decisions"]
    assert (done["status"], closed["status"], waiting["status"]) == ("decided", "closed", "second")
    assert decision["by"].startswith(team.ann.name)
    assert decision["seconded_by"].startswith(team.bob.name)
    assert appeal["appeals"] == waiting["decisions"][0]["supersedes"] == decision["id"]
    for one in (team.ann, team.bob, team.eve):
        is_problem(one.post(f"/{appeal['id']}/second"), 403, "not-allowed")
    assert team.operator.post(f"/{appeal['id']}/second").json()["status"] == "decided"


def test_findings_keep_every_assessment(team: Team, case: dict[str, Any]) -> None:
    """The last one counts; those that nobody has assessed are found."""
    left = team.ann.get(f"/{case['id']}/findings", params={"assessed": False}).json()["items"]
    assess(team.ann, case)
    assess(team.bob, case, "rejected")

    (finding,) = team.ann.get(f"/{case['id']}/findings").json()["items"]
    assert [one["lane"] for one in left] == ["copy"]
    assert "Red boat" not in finding["statement"]
    assert finding["assessed"] == "rejected"
    assert [one["verdict"] for one in finding["assessments"]] == ["confirmed", "rejected"]
    assert not team.ann.get(f"/{case['id']}/findings", params={"assessed": False}).json()["items"]


def test_differences_of_a_page_open_the_voters_once(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many images it has."""
    answers = [
        team.ann.client.post(
            "/v1/attributions", files={"image": png(seed)}, headers=bearing(team.ann.token)
        ).json()["id"]
        for seed in (11, 12, 13)
    ]
    sent = {"kind": "match", "title": "three prints", "attributions": answers}
    case = team.ann.post("", sent).json()
    attributor = team.ann.client.app.state.services.attributor  # type: ignore[attr-defined]
    opened: list[str] = []
    panel_of = attributor._panel_of

    def counted(tenant: str) -> Any:
        opened.append(tenant)
        return panel_of(tenant)

    monkeypatch.setattr(attributor, "_panel_of", counted)
    items = team.ann.get(f"/{case['id']}/differences").json()["items"]

    assert [one["attribution_id"] for one in items] == answers
    assert len(opened) == 1


def test_the_wrong_person_is_refused(team: Team, case: dict[str, Any]) -> None:
    """Whoever acts for an artist of the case, and whoever decided; the others may."""
    assess(team.ann, case)
    own = team.agent.post(f"/{case['id']}/decisions", CONFIRMED)
    team.ann.post(f"/{case['id']}/decisions", CONFIRMED)
    same = team.ann.post(f"/{case['id']}/second")

    is_problem(own, 403, "not-allowed")
    assert "is a party of case 1" in own.json()["detail"]
    is_problem(same, 403, "not-allowed")
    assert team.bob.post(f"/{case['id']}/second").status_code == 200


def test_of_two_who_decide_at_once_one_does(team: Team, case: dict[str, Any]) -> None:
    """The other one gets 409; an edit of what was read before that, 412."""
    assess(team.ann, case)
    read = team.ann.get(f"/{case['id']}").headers["etag"]

    answers = at_once(
        lambda one: one.post(f"/{case['id']}/decisions", REJECTED), [team.ann, team.bob]
    )
    late = team.eve.post(f"/{case['id']}/reopen", {"text": "a better scan"}, **{"if-match": read})

    assert sorted(one.status_code for one in answers) == [200, 409]
    is_problem(next(one for one in answers if one.status_code == 409), 409, "conflict")
    is_problem(late, 412, "precondition-failed")
    assert len(team.ann.get(f"/{case['id']}").json()["decisions"]) == 1


def test_the_queue(team: Team, case: dict[str, Any]) -> None:
    """Skipped, moved, released, commented on: each is a note or an entry, and the list finds it."""
    team.ann.post("/next")
    is_problem(team.bob.post(f"/{case['id']}/skip", {"text": "mine"}), 409, "conflict")
    team.ann.post(f"/{case['id']}/release")
    team.bob.post("/next")
    team.bob.post(f"/{case['id']}/skip", {"text": "I know the artist"})
    team.bob.post(f"/{case['id']}/move", {"to": team.eve.name, "text": "reads Dutch"})
    team.bob.post(f"/{case['id']}/comments", {"text": "asked the shop"})

    assert team.ann.post("/next").json()["case"] is None
    assert team.eve.post("/next").json()["case"]["assignee"] == team.eve.name
    notes = team.ann.get(f"/{case['id']}").json()["notes"]
    assert [one["kind"] for one in notes] == ["comment", "move", "skip"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"status": "open"}, 1),
        ({"status": "closed"}, 0),
        ({"kind": "match", "artist": "ann-example"}, 1),
        ({"assignee": "nobody"}, 0),
        ({"due_before": "2000-01-01"}, 0),
        ({"sha256": "0" * 64}, 0),
    ],
    ids=str,
)
def test_cases_are_found(
    team: Team, case: dict[str, Any], filters: dict[str, str], found: int
) -> None:
    """By status, kind, person, party, image and due date; as a table too."""
    listed = team.ann.get("", params=filters).json()["items"]
    about = {"sha256": team.answer["image_sha256"]}
    table = team.ann.client.get(
        "/v1/cases", params=about, headers=bearing(team.ann.token) | {"accept": "text/csv"}
    ).text.splitlines()

    assert [one["id"] for one in listed] == [case["id"]] * found
    assert len(table) == 2
    assert "number" in table[0]


def test_contacts_are_apart(team: Team, case: dict[str, Any]) -> None:
    """The case and the audit have nothing of them; who has seen one is in the audit."""
    place, text = f"/{case['id']}", "mail@shop.example"
    (party,) = team.ann.get(place).json()["parties"]
    kept = team.ann.post(f"{place}/parties/{party['id']}/contact", {"text": text})
    (seen,) = team.bob.get(f"{place}/contacts").json()["contacts"]
    shown = team.ann.get(place).text
    team.bob.post(f"{place}/parties/{party['id']}/contact/forget")
    again = team.bob.post(f"{place}/parties/{party['id']}/contact/forget")
    audit = team.auditor.client.get("/v1/audit", headers=bearing(team.auditor.token)).json()

    assert (seen["party_id"], seen["text"]) == (party["id"], text)
    assert team.ann.get(f"{place}/contacts").json() == {"contacts": []}
    is_problem(team.auditor.get(f"{place}/contacts"), 403, "scope-missing")
    is_problem(again, 409, "conflict")
    assert text not in kept.text + shown + str(audit)
    about = [one["action"] for one in audit["items"] if one["object"] == f"party:{party['id']}"]
    assert about == ["forget-contact", "view", "keep-contact"]


def test_a_case_is_planned_by_operators(team: Team, case: dict[str, Any]) -> None:
    """What is left out stays, null takes the due date away; the queue follows."""
    place = f"/v1/cases/{case['id']}"
    other = team.ann.post("", {"kind": "withdrawal", "title": "asked for"}).json()

    def planned(person: Person, **said: Any) -> Any:
        return person.client.patch(place, json=said, headers=bearing(person.token))

    is_problem(planned(team.ann, priority=1), 403, "scope-missing")
    is_problem(planned(team.operator), 422, "bad-input")
    due = planned(team.operator, priority=4, due_at="2027-01-01").json()
    kept = planned(team.operator, priority=5).json()
    without = planned(team.operator, due_at=None).json()

    assert (due["priority"], due["due_at"]) == (4, "2027-01-01T23:59:59.999999Z")
    assert (kept["priority"], kept["due_at"]) == (5, due["due_at"])
    assert (without["priority"], without["due_at"]) == (5, None)
    assert team.ann.post("/next").json()["case"]["id"] == other["id"]


def test_what_is_not_there(team: Team, case: dict[str, Any]) -> None:
    """An unknown case, answer, finding or artist is answered with 404."""
    nowhere = str(uuid4())
    bodies = {
        f"/{nowhere}/close": None,
        f"/{case['id']}/subjects": {"attributions": [nowhere]},
        f"/{case['id']}/assessments": {"findings": [nowhere], "verdict": "unclear", "why": "x"},
        f"/{case['id']}/parties": {"role": "artist", "artist": "nobody-known"},
    }
    for path, body in bodies.items():
        is_problem(team.ann.post(path, body), 404, "not-found")


def test_a_withdrawal_in_the_middle_of_a_case(team: Team, case: dict[str, Any]) -> None:
    """The case goes on, has no word of what was withdrawn, and says under which receipt it went."""
    operator = team.operator
    gone = operator.client.post(
        "/v1/withdrawals",
        json={"what": "ann-example", "reason": "asked for"},
        headers=bearing(operator.token),
    ).json()

    place = f"/{case['id']}"
    (subject,) = team.ann.get(f"{place}/subjects").json()["items"]
    differences = team.ann.get(f"{place}/differences").json()["items"]
    shown = [team.ann.get(f"{place}{part}").text for part in ("", "/findings", "/differences")]
    assert subject["receipts"] == [gone["id"]]
    assert "was withdrawn" in str(differences)
    assert not any("Red boat" in one for one in shown)
    assert decided(team, case)["status"] == "decided"


def test_the_pack_of_a_case(
    team: Team, case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over HTTP it verifies; of more images than one waits for it is refused at once."""
    assess(team.ann, case)
    team.ann.post(f"/{case['id']}/decisions", CONFIRMED)

    got = team.bob.post(f"/{case['id']}/evidence")
    (tmp_path / "case.zip").write_bytes(got.content)

    found = verify(tmp_path / "case.zip")
    assert got.status_code == 200
    assert found.is_intact, found.findings
    assert any(one.said.startswith("case 1: assessments (1)") for one in found.findings)
    monkeypatch.setattr(evidence, "MOST_LOOKUPS", 0)
    said = is_problem(team.bob.post(f"/{case['id']}/evidence"), 409, "conflict")
    assert "the case has 1 images" in said["detail"]
    is_problem(team.bob.post(f"/{uuid4()}/evidence"), 404, "not-found")


def test_in_the_terminal(ingested: Settings) -> None:
    """Every command shows the case, as text or JSON."""
    home, image = ingested.home, str(next((ingested.home.parent / "p").glob("*/*.png")))
    answer = json.loads(lawful(home, "attribute", image, "--json").stdout.splitlines()[-1])
    slug = answer["copy_of"]["slug"]

    def case(*words: str) -> dict[str, Any]:
        done = lawful(home, "cases", *words, "--json")
        assert done.returncode == 0, done.stderr
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown

    opened = case("open", "a print", "--answer", answer["id"], "--artist", slug)
    assert case("next")["lease_by"] is not None
    assert case("release", "1")["lease_by"] is None
    case("assess", "1", "rejected", "--why", "two drawings")
    case("comment", "1", "asked the shop")
    case("plan", "1", "--priority", "1", "--due", "2027-01-01")
    case("parties", "add", "1", "respondent", "--name", "A shop")
    case("parties", "reach", "1", "2", "mail@shop.example")
    contacts = lawful(home, "cases", "parties", "contacts", "1").stdout
    case("parties", "forget", "1", "2")
    case("parties", "remove", "1", "2", "--why", "named by mistake")
    case("decide", "1", "match_rejected", "--ground", "other_picture", "--words", "two drawings")
    again = lawful(home, "cases", "second", "1")
    case("close", "1")
    appeal = case("appeal", "1", "--why", "the same drawing")
    skipped = case("skip", "2", "--why", "mine")
    moved = case("move", "2", "key lk_1a2b3c4d", "--why", "reads Dutch")
    shown = lawful(home, "cases", "show", "1").stdout
    found = lawful(home, "cases", "findings", "1").stdout
    first = json.loads(lawful(home, "cases", "findings", "1", "--json").stdout.splitlines()[0])
    packed = lawful(home, "cases", "pack", "1", "-o", str(home.parent / "case.zip"))
    checked = lawful(home, "verify", str(home.parent / "case.zip"))
    same = lawful(home, "cases", "differences", "2").stdout
    listed = lawful(home, "cases", "list", "--artist", slug).stdout

    assert UUID(opened["id"])
    assert again.returncode != 0
    assert "“decided”" in again.stderr
    assert (appeal["number"], skipped["notes"][0]["kind"]) == (2, "skip")
    assert moved["assignee"] == "key lk_1a2b3c4d"
    assert "party 2, until " in contacts
    assert "mail@shop.example" not in shown
    assert "image 1: everything that was compared is as it was" in same
    assert "decision 1: match_rejected (other_picture)" in shown
    assert f"image 1: answer {answer['id']}" in shown
    assert "finding 1 (copy, rejected): Shows the same image" in found
    assert "  rejected by " in found
    assert (first["position"], first["assessments"][0]["why"]) == (1, "two drawings")
    assert packed.returncode == checked.returncode == 0, packed.stderr
    assert (
        "case 1: assessments (1), decisions (1) and documents (0) are as they were recorded"
        in checked.stdout
    )
    assert listed.index("appeal") < listed.index("match")
