"""Earlier answers, found by verdict, artist, file and time, over HTTP and in the terminal."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from fastapi.testclient import TestClient

from attribution.config import Settings
from tests.apis import is_problem, png, upload
from tests.commands import lawful


@pytest.fixture
def answers(client: TestClient) -> list[dict[str, Any]]:
    """Ask about a work by Ann, one by Bob, and a picture that nobody has; the oldest first."""
    upload(client, png(1), artist="Ann")
    upload(client, png(2), artist="Bob")
    return [
        client.post("/v1/attributions", files={"image": png(seed)}).json() for seed in (1, 2, 3)
    ]


def found(client: TestClient, **filters: str) -> list[str]:
    """Return the ids of a list, which is read one by one."""
    ids, cursor = list[str](), dict[str, str]()
    while True:
        page = client.get("/v1/attributions", params={**filters, "limit": 1, **cursor}).json()
        ids += [one["id"] for one in page["items"]]
        if page["next"] is None:
            return ids
        cursor = {"cursor": page["next"]}


def test_answers_are_found_by_what_they_say(
    client: TestClient, answers: list[dict[str, Any]]
) -> None:
    """Each filter alone, and two together; pages keep to them."""
    ann, bob, nobody = (one["id"] for one in answers)
    assert [one["verdict"] for one in answers] == ["copy", "copy", "abstain"]

    assert found(client) == [nobody, bob, ann]
    assert found(client, verdict="copy") == [bob, ann]
    assert found(client, verdict="related") == []
    assert found(client, sha256=sha256(png(3)).hexdigest().upper()) == [nobody]
    assert found(client, since=answers[1]["created_at"]) == [nobody, bob]
    assert found(client, until=answers[1]["created_at"]) == [ann]
    assert found(client, verdict="copy", since=answers[1]["created_at"]) == [bob]


def test_the_answers_of_an_artist_name_a_work_of_theirs(
    client: TestClient, answers: list[dict[str, Any]]
) -> None:
    """Works that were moved take their answers along."""
    work = answers[0]["copy_of"]["id"]
    only_ann = [
        one["id"] for one in answers if all(artist["slug"] != "bob" for artist in one["artists"])
    ]
    of_ann = found(client, artist="ann", verdict="copy")
    client.post(f"/v1/artworks/{work}/move", json={"artist": "bob"})

    assert answers[0]["id"] in of_ann
    assert set(only_ann) <= set(found(client, artist="bob"))
    assert found(client, artist="ann") == []


def test_copies_of_the_works_of_an_artist(
    client: TestClient, answers: list[dict[str, Any]]
) -> None:
    """Not what resembles them alone; the list says of which work, and a moved work leads on."""
    ann, work = answers[0]["id"], answers[0]["copy_of"]["id"]

    (listed,) = client.get("/v1/attributions", params={"copy_of": "ann"}).json()["items"]
    client.post(f"/v1/artworks/{work}/move", json={"artist": "bob"})

    assert (listed["id"], listed["copy_of"], listed["original"]) == (ann, "ann", work)
    assert found(client, copy_of="ann") == []
    assert found(client, copy_of="bob") == [answers[1]["id"], ann]


@pytest.mark.parametrize(
    ("filters", "status", "kind", "said"),
    [
        ({"artist": "nobody-here"}, 404, "not-found", "nobody-here"),
        ({"copy_of": "nobody-here"}, 404, "not-found", "nobody-here"),
        ({"sha256": "abc"}, 422, "bad-input", "'abc' is not a SHA-256"),
        ({"verdict": "guilty"}, 422, "invalid-request", "abstain"),
        ({"until": "tomorrow"}, 422, "invalid-request", "until"),
    ],
)
def test_a_filter_that_cannot_be_used_is_named(
    client: TestClient, filters: dict[str, str], status: int, kind: str, said: str
) -> None:
    """With what would do."""
    assert (
        said in is_problem(client.get("/v1/attributions", params=filters), status, kind)["detail"]
    )


def test_answers_are_listed_in_the_terminal(ingested: Settings) -> None:
    """By the same filters; `lawful show` takes the ids."""
    home, image = ingested.home, str(next((ingested.home.parent / "p").glob("*/*.png")))
    answer = json.loads(lawful(home, "attribute", image, "--json").stdout.splitlines()[-1])
    slug = answer["copy_of"]["slug"]

    shown = lawful(home, "answers", "--copy-of", slug, "--artist", slug, "--since", "2026-01-01")
    same = lawful(home, "answers", "--sha256", answer["image_sha256"], "--json")
    none = lawful(home, "answers", "--until", "2026-01-01")
    wrong = lawful(home, "answers", "--sha256", "abc")

    assert answer["id"] in shown.stdout
    assert f"copy  of a work by {slug}" in shown.stdout
    assert json.loads(same.stdout)["id"] == answer["id"]
    assert none.stdout.strip() == "no answers"
    assert (wrong.returncode, "not a SHA-256" in wrong.stderr) == (1, True)
