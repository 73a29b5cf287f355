"""The HTTP API over real embedded services."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.http.app import create_app
from attribution import collection
from attribution.images import decode
from tests.apis import LOCAL, archive, is_problem, local_client, png, settings, upload

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def filled(client: TestClient) -> TestClient:
    """Fill it with three artists of four works each."""
    names = ("Ann Örn", "Bob", "Cy")
    members = {f"{name}/{n}.png": png(10 * a + n) for a, name in enumerate(names) for n in range(4)}
    assert upload(client, archive(members), "all.zip")["outcomes"]["added"] == 12
    return client


def test_one_work_goes_in_and_is_recognised(client: TestClient) -> None:
    """The main job over HTTP: upload a work, attribute the same picture, read it again."""
    job = upload(
        client,
        png(1),
        "sea.png",
        artist="Ann Örn",
        title="Sea",
        tags="blue, water",
        year="1901",
        licence="CC0-1.0",
        consent_train="true",
    )
    assert (job["status"], job["files"], job["outcomes"]["added"]) == ("done", 1, 1)
    assert job["source"] == "upload:sea.png"

    (work,) = client.get("/v1/artworks").json()["items"]
    assert work["artist"] == {"slug": "ann-orn", "name": "Ann Örn"}
    assert (work["title"], work["tags"], work["year"]) == ("Sea", ["blue", "water"], 1901)
    assert work["consent"] == ["index", "display", "evidence", "train"]

    response = client.post("/v1/attributions", files={"image": png(1)})
    assert response.status_code == 201
    answer = response.json()
    assert answer["verdict"] == "copy"
    assert answer["copy_of"]["id"] == work["id"]
    assert answer["artists"][0]["slug"] == "ann-orn"
    assert set(answer["artists"][0]["works"][0]) == {"id", "title", "similarity", "sha256"}
    assert client.get(response.headers["location"]).json() == answer
    (brief,) = client.get("/v1/attributions").json()["items"]
    assert (brief["id"], brief["artists"]) == (answer["id"], ["ann-orn"])
    assert brief["created_at"] == answer["created_at"]


def test_an_archive_says_what_became_of_every_file(client: TestClient, tmp_path: Path) -> None:
    """Works of an archive are added, hostile and broken members refused with a reason."""
    data = archive(
        {
            "Ann/1.png": png(1),
            "Bob/2.png": png(2),
            "Bob/broken.png": b"no picture",
            "../escape.png": png(3),
            "Bob/more.zip": b"PK",
            "metadata.jsonl": b'{"file_name": "Ann/1.png", "title": "Sea"}\n',
        }
    )
    job = upload(client, data, "all.zip")
    items = client.get(f"/v1/ingest-jobs/{job['id']}/items").json()["items"]

    assert {name: count for name, count in job["outcomes"].items() if count} == {
        "added": 2,
        "refused": 3,
    }
    outcomes = {one["path"]: one["outcome"] for one in items}
    assert outcomes["Ann/1.png"] == "added"
    assert {outcomes[name] for name in ("Bob/broken.png", "../escape.png", "Bob/more.zip")} == {
        "refused"
    }
    assert all(one["reason"] for one in items if one["outcome"] == "refused")
    assert str(tmp_path) not in str(items)
    titles = {one["title"] for one in client.get("/v1/artworks").json()["items"]}
    assert titles == {"Sea", "2"}


def test_a_flat_archive_is_named_by_a_field(client: TestClient, tmp_path: Path) -> None:
    """The job says which field names the artist, and none of our paths."""
    refused = upload(client, archive({"1.png": png(1)}), "flat.zip")
    done = upload(client, archive({"1.png": png(1)}), "flat.zip", artist="Ann")

    assert refused["status"] == "failed"
    assert "1.png: it has no artist" in refused["error"]
    assert "To name one for all files: the field `artist`" in refused["error"]
    assert str(tmp_path) not in refused["error"]
    assert done["outcomes"]["added"] == 1


def test_an_archive_that_cannot_be_used_fails_its_job(client: TestClient) -> None:
    """The job says why, and has no files."""
    job = upload(client, archive({"readme.txt": b"x"}), "notes.zip")

    assert (job["status"], job["files"]) == ("failed", 0)
    assert "the archive has no works" in job["error"]
    for status, found in (("failed", 1), ("done", 0)):
        jobs = client.get("/v1/ingest-jobs", params={"status": status}).json()["items"]
        assert len(jobs) == found


def test_uploads_are_deleted_when_their_job_has_ended(client: TestClient, tmp_path: Path) -> None:
    """Neither a job that is done nor one that failed for good leaves files."""
    upload(client, png(1), artist="Ann")
    upload(client, archive({"readme.txt": b"x"}), "notes.zip")

    waiting = tmp_path / "home" / "incoming"
    deadline = time.monotonic() + 5
    while list(waiting.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(waiting.iterdir()) == []


def test_a_file_name_is_never_a_path(client: TestClient) -> None:
    """A client's file name is shown without its folders and used for nothing."""
    job = upload(client, png(1), "../../etc/pass\x01wd.png", artist="Ann")

    assert job["status"] == "done"
    assert job["source"] == "upload:pass%01wd.png"


def test_one_artwork_is_found_in_a_moment(client: TestClient) -> None:
    """Its id is known at once; a bad picture is refused at once."""
    said = {"artist": "Ann", "title": "Boat"}
    response = client.post("/v1/artworks", files={"file": ("b.png", png(3))}, data=said)
    assert response.status_code == 202
    work = response.json()["id"]
    deadline = time.monotonic() + 10
    while client.get(f"/v1/artworks/{work}").status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    while client.get(response.headers["location"]).json()["status"] != "done":
        assert time.monotonic() < deadline
    answer = client.post("/v1/attributions", files={"image": png(3)}).json()
    assert answer["copy_of"]["id"] == work

    bad = client.post("/v1/artworks", files={"file": ("b.png", b"no picture")}, data=said)
    is_problem(bad, 422, "bad-image")
    nameless = client.post("/v1/artworks", files={"file": ("b.png", png(4))})
    is_problem(nameless, 422, "bad-input")
    assert "artist" in nameless.json()["detail"]
    long = client.post(
        "/v1/artworks", files={"file": ("b.png", png(4))}, data={"artist": "n" * 300}
    )
    is_problem(long, 422, "invalid-request")


def test_withdrawal_has_a_receipt(filled: TestClient) -> None:
    """An artist is forgotten with all works; the receipt can be read again."""
    asked = {"what": "bob", "reason": "asked for"}
    response = filled.post("/v1/withdrawals", json=asked)
    assert response.status_code == 201
    receipt = response.json()

    assert receipt["completed_at"]
    assert (receipt["receipt"]["removed"]["points"], len(receipt["receipt"]["works"])) == (4, 4)
    assert filled.get(response.headers["location"]).json() == receipt
    assert filled.post("/v1/withdrawals", json=asked).json() == receipt
    assert [one["id"] for one in filled.get("/v1/withdrawals").json()["items"]] == [receipt["id"]]
    found = filled.post("/v1/search", files={"image": png(10)}).json()["hits"]
    assert "bob" not in {hit["slug"] for hit in found}
    is_problem(filled.get(f"/v1/withdrawals/{receipt['artist_id']}"), 404, "not-found")
    nobody = filled.post("/v1/withdrawals", json=asked | {"what": "nobody"})
    is_problem(nobody, 404, "not-found")


def test_a_withdrawn_work_is_refused_at_once(client: TestClient) -> None:
    """And taken in again only by whoever says so."""
    upload(client, png(1), artist="Ann")
    work = client.get("/v1/artworks").json()["items"][0]["id"]
    client.post("/v1/withdrawals", json={"what": work, "reason": "asked for"})
    file = {"file": ("a.png", png(1))}

    refused = client.post("/v1/artworks", files=file, data={"artist": "Ann"})
    taken = client.post("/v1/artworks", files=file, data={"artist": "Ann", "reinstate": "true"})

    said = is_problem(refused, 409, "conflict")["detail"]
    assert "withdrawn on" in said
    assert "reinstate=true" in said
    assert taken.status_code == 202


def test_a_work_is_corrected(filled: TestClient) -> None:
    """What is named changes, null empties, the rest stays; the record says who, when, what."""
    work = filled.get("/v1/artworks?artist=bob").json()["items"][0]
    path = f"/v1/artworks/{work['id']}"
    said = {"title": " Red  boat", "tags": ["sea"], "year": 1901, "consent": {"train": True}}

    shown = filled.patch(path, json=said | {"reason": "asked for"}).json()
    emptied = filled.patch(path, json={"year": None}).json()

    assert (shown["title"], shown["tags"], shown["year"]) == ("Red boat", ["sea"], 1901)
    assert shown["consent"] == ["index", "display", "evidence", "train"]
    assert emptied == shown | {"year": None}
    assert filled.get("/v1/search?q=boat").json()["hits"][0]["id"] == work["id"]
    last, first = filled.get("/v1/changes").json()["items"]
    assert (last["before"], last["after"]) == ({"year": 1901}, {"year": None})
    assert (first["kind"], first["origin"], first["reason"]) == (
        "correct",
        "anyone on this machine",
        "asked for",
    )
    assert (first["artist"], first["artwork_id"]) == ("bob", work["id"])
    assert first["completed_at"]
    misspelt = is_problem(filled.patch(path, json={"titel": "x"}), 422, "invalid-request")
    assert "titel: no such field here" in misspelt["detail"]
    is_problem(filled.patch(path, json={}), 422, "bad-input")
    is_problem(filled.patch(path, json={"consent": {"index": False}}), 422, "bad-input")
    nobody = "/v1/artworks/00000000-0000-0000-0000-000000000000"
    is_problem(filled.patch(nobody, json={"title": "x"}), 404, "not-found")
    filled.post("/v1/withdrawals", json={"what": work["id"], "reason": "asked for"})
    is_problem(filled.patch(path, json={"title": "x"}), 409, "conflict")
    is_problem(filled.post(f"{path}/move", json={"artist": "cy"}), 409, "conflict")


def test_works_and_artists_find_their_place(filled: TestClient) -> None:
    """Move a work, merge, rename, confirm an alias; what makes no sense is a conflict."""
    work = filled.get("/v1/artworks?artist=bob").json()["items"][0]["id"]
    moving = f"/v1/artworks/{work}/move"

    assert filled.post(moving, json={"artist": "cy"}).json()["artist"]["slug"] == "cy"
    is_problem(filled.post(moving, json={"artist": "cy"}), 409, "conflict")
    is_problem(filled.post(moving, json={"artist": "nobody"}), 404, "not-found")

    refused = filled.post("/v1/artists/cy/merge", json={"into": "bob"})
    said = is_problem(refused, 409, "conflict")["detail"]
    assert "5 works of 'Cy' would become works of 'Bob'" in said
    merging = {"into": "bob", "confirm": True}
    merged = filled.post("/v1/artists/cy/merge", json=merging).json()
    assert (merged["slug"], merged["works"], merged["aliases"]) == ("bob", 8, ["Cy"])
    assert filled.get("/v1/artists/cy").json() == merged
    is_problem(filled.post("/v1/artists/bob/merge", json={"into": "bob"}), 409, "conflict")

    renamed = filled.patch("/v1/artists/bob", json={"name": "Robert"}).json()
    assert (renamed["slug"], renamed["name"]) == ("bob", "Robert")
    response = filled.post("/v1/artists/bob/aliases", json={"name": "R."})
    assert (response.status_code, response.json()["aliases"]) == (201, ["Bob", "Cy", "R."])
    taken = filled.post("/v1/artists/ann-orn/aliases", json={"name": "Bob"})
    is_problem(taken, 409, "conflict")
    kinds = [one["kind"] for one in filled.get("/v1/changes").json()["items"]]
    assert kinds == ["alias", "rename", "merge", "move"]
    page = filled.get("/v1/changes?limit=3").json()
    assert len(filled.get("/v1/changes", params={"cursor": page["next"]}).json()["items"]) == 1


def test_changes_are_shown_and_undone(filled: TestClient) -> None:
    """Filtered, counted, paged, with what undid what; an undo is a change like any other."""
    work = filled.get("/v1/artworks?artist=bob").json()["items"][0]["id"]
    filled.patch(f"/v1/artworks/{work}", json={"title": "Red boat"})
    filled.post("/v1/artists/cy/merge", json={"into": "bob", "confirm": True})
    (merged,) = filled.get("/v1/changes?artist=cy&limit=1").json()["items"]
    path = f"/v1/changes/{merged['id']}"
    assert (merged["kind"], merged["works"], merged["artist_name"]) == ("merge", 4, "Bob")
    assert filled.get(path).json() == merged
    page = filled.get(f"{path}/works?limit=3").json()
    rest = filled.get(f"{path}/works", params={"cursor": page["next"]}).json()
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (3, 1, None)

    is_problem(filled.post(f"{path}/undo", json={"reasn": "x"}), 422, "invalid-request")
    is_problem(filled.post(f"{path}/undo", json={"works": [work]}), 409, "conflict")
    undone = filled.post(f"{path}/undo", json={"reason": "two people"}).json()

    assert (undone["kind"], undone["undoes"], undone["artist"]) == ("undo", merged["id"], "cy")
    assert (undone["works"], undone["reason"], undone["origin"]) == (
        4,
        "two people",
        "anyone on this machine",
    )
    assert (undone["after"]["stayed"], undone["after"]["added_since"]) == (0, 0)
    assert filled.get(path).json()["undone_by"] == undone["id"]
    assert filled.get("/v1/artists/cy").json()["works"] == 4
    is_problem(filled.post(f"{path}/undo"), 409, "conflict")
    redone = filled.post(f"/v1/changes/{undone['id']}/undo").json()
    assert (redone["artist"], filled.get("/v1/artists/cy").json()["slug"]) == ("bob", "bob")
    (made,) = filled.get("/v1/changes", params={"work": work}).json()["items"]
    assert made["after"] == {"title": "Red boat"}
    since = filled.get("/v1/changes", params={"since": undone["made_at"]}).json()["items"]
    assert [one["id"] for one in since] == [redone["id"], undone["id"]]
    assert filled.get("/v1/changes?since=2999-01-01").json()["items"] == []
    nobody = "00000000-0000-0000-0000-000000000000"
    for query in ("artist=nobody", f"work={nobody}"):
        is_problem(filled.get(f"/v1/changes?{query}"), 404, "not-found")
    for query in ("since=yesterday", "since=0001-01-01T00:00:00%2B14:00", "works=1"):
        is_problem(filled.get(f"/v1/changes?{query}"), 422, "invalid-request")
    is_problem(filled.get(f"/v1/changes/{nobody}"), 404, "not-found")
    is_problem(filled.post(f"/v1/changes/{nobody}/undo"), 404, "not-found")
    is_problem(filled.get(f"{path}/works?cursor=bm8"), 422, "bad-input")


def test_works_are_split_off(filled: TestClient) -> None:
    """Chosen works go to an artist of another name, and come back."""
    chosen = [one["id"] for one in filled.get("/v1/artworks?artist=bob").json()["items"][:2]]
    path = "/v1/artists/bob/split"

    made = filled.post(path, json={"works": chosen, "into": "Dee", "reason": "another"}).json()

    assert (made["kind"], made["works"], made["artist"]) == ("split", 2, "dee")
    assert filled.get("/v1/artists/dee").json()["works"] == 2
    is_problem(filled.post(path, json={"works": chosen, "into": "Dee"}), 409, "conflict")
    is_problem(filled.post(path, json={"works": [], "into": "Dee"}), 422, "invalid-request")
    is_problem(filled.post(path, json={"works": chosen}), 422, "invalid-request")
    back = filled.post(f"/v1/changes/{made['id']}/undo").json()
    assert (back["artist"], filled.get("/v1/artists/bob").json()["works"]) == ("bob", 4)


def test_sent_again_with_other_words_it_is_corrected(client: TestClient) -> None:
    """Fields that are filled in count; those that are left out change nothing."""
    upload(client, png(1), artist="Ann", title="Sea", licence="CC0-1.0", consent_train="true")

    job = upload(client, png(1), "b.png", artist="Ann", title="Lake", tags="")
    assert upload(client, png(1), "b.png", artist="Ann", title="")["outcomes"]["known"] == 1

    assert job["outcomes"]["corrected"] == 1
    (work,) = client.get("/v1/artworks").json()["items"]
    assert (work["title"], work["licence"]) == ("Lake", "CC0-1.0")
    assert "train" in work["consent"]


def test_jobs_are_cancelled_and_retried(filled: TestClient) -> None:
    """What has ended cannot be cancelled, what is done cannot be retried."""
    (job,) = filled.get("/v1/ingest-jobs").json()["items"]

    is_problem(filled.post(f"/v1/ingest-jobs/{job['id']}/cancel"), 409, "conflict")
    is_problem(filled.post(f"/v1/ingest-jobs/{job['id']}/retry"), 409, "conflict")


def test_lists_come_in_pages(filled: TestClient) -> None:
    """Following `next` shows every entry once."""
    for path, total in (("/v1/artworks", 12), ("/v1/artists", 3)):
        seen, cursor = [], None
        while True:
            page = filled.get(
                path, params={"limit": 2} | ({"cursor": cursor} if cursor else {})
            ).json()
            seen += [one.get("id", one.get("slug")) for one in page["items"]]
            if not (cursor := page["next"]):
                break
        assert len(seen) == len(set(seen)) == total
    is_problem(filled.get("/v1/artworks?cursor=nonsense"), 422, "bad-input")
    is_problem(filled.get("/v1/artworks?limit=0"), 422, "invalid-request")


def test_an_artist_with_likely_aliases(filled: TestClient) -> None:
    """A name that folds to the same joins the artist; one that resembles it is proposed."""
    upload(filled, png(98), artist="orn, ann")
    upload(filled, png(99), artist="Ann Marie Örn")

    artist = filled.get("/v1/artists/ann-orn").json()
    assert (artist["name"], artist["works"]) == ("Ann Örn", 5)
    assert artist["aliases"] == ["orn, ann"]
    assert [one["name"] for one in artist["likely_aliases"]] == ["Ann Marie Örn"]
    works = filled.get("/v1/artworks", params={"artist": "ann-orn"}).json()["items"]
    assert len(works) == 5


def test_a_conflicting_claim_is_shown(filled: TestClient) -> None:
    """The same bytes under a second artist are one work with a claim."""
    job = upload(filled, png(0), artist="Bob")
    assert job["outcomes"]["conflict"] == 1
    (item,) = filled.get(f"/v1/ingest-jobs/{job['id']}/items").json()["items"]

    work = filled.get(f"/v1/artworks/{item['artwork_id']}").json()
    assert work["artist"]["name"] == "Ann Örn"
    assert [one["artist"]["name"] for one in work["conflicting_claims"]] == ["Bob"]
    assert work["facts"]["format"] == "PNG"


def test_a_thumbnail_obeys_consent(client: TestClient) -> None:
    """A picture is shown and revalidated; without consent it is refused, saying why."""
    upload(client, png(1), artist="Ann", title="shown")
    upload(client, png(2), artist="Ann", title="hidden", consent_display="false")
    works = {one["title"]: one["id"] for one in client.get("/v1/artworks").json()["items"]}

    shown = client.get(f"/v1/artworks/{works['shown']}/thumbnail")
    assert shown.headers["content-type"] == "image/webp"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert Image.open(io.BytesIO(shown.content)).format == "WEBP"
    again = client.get(
        f"/v1/artworks/{works['shown']}/thumbnail", headers={"if-none-match": shown.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    hidden = client.get(f"/v1/artworks/{works['hidden']}/thumbnail")
    assert "'display'" in is_problem(hidden, 403, "not-allowed")["detail"]


def test_search_by_words_and_picture(filled: TestClient) -> None:
    """Each hit says what every leg gave; filters hold."""
    upload(filled, png(50), artist="Dee", title="red sailing boat", licence="CC0-1.0", year="1900")

    best = filled.get("/v1/search", params={"q": "sailing boat"}).json()["hits"][0]
    assert (best["title"], best["slug"]) == ("red sailing boat", "dee")
    assert "text" in best["legs"]
    found = filled.post("/v1/search", files={"image": png(50)}, data={"limit": "3"}).json()["hits"]
    assert found[0]["title"] == "red sailing boat"
    assert len(found) == 3
    only = filled.post(
        "/v1/search", files={"image": png(50)}, data={"q": "boat", "artist": ["bob", "cy"]}
    ).json()["hits"]
    assert {one["slug"] for one in only} == {"bob", "cy"}
    by_style = filled.post("/v1/search", files={"image": png(50)}, data={"by": "style"})
    assert {leg for one in by_style.json()["hits"] for leg in one["legs"]} == {"vae_style_image"}
    old = filled.get("/v1/search", params={"q": "boat", "year_to": 1950, "licence": "CC0-1.0"})
    assert [one["slug"] for one in old.json()["hits"]] == ["dee"]


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("DELETE", "/v1/artists", 405, "method-not-allowed"),
        ("GET", "/v1/artists/nobody", 404, "not-found"),
        ("GET", "/v1/artworks?artist=nobody", 404, "not-found"),
        ("GET", "/v1/artworks/no-uuid", 422, "invalid-request"),
        ("GET", "/v1/artworks/00000000-0000-0000-0000-000000000000", 404, "not-found"),
        ("GET", "/v1/ingest-jobs/00000000-0000-0000-0000-000000000000", 404, "not-found"),
        ("GET", "/v1/ingest-jobs/00000000-0000-0000-0000-000000000000/items", 404, "not-found"),
        ("GET", "/v1/attributions/00000000-0000-0000-0000-000000000000", 404, "not-found"),
        ("GET", "/v1/search", 422, "bad-input"),
        ("GET", "/v1/search?q=%20", 422, "bad-input"),
        ("GET", "/v1/search?q=x&artist=nobody", 404, "not-found"),
        ("GET", "/v1/search?q=x&yeer_from=1900", 422, "invalid-request"),
        ("GET", "/v1/search?q=x&by=hand", 422, "invalid-request"),
        ("GET", "/v1/search?q=x&by=style", 422, "bad-input"),
        ("GET", "/v1/artworks?limt=3", 422, "invalid-request"),
        ("POST", "/v1/attributions?lmit=3", 422, "invalid-request"),
        ("POST", "/v1/attributions", 422, "invalid-request"),
        ("POST", "/v1/search", 422, "bad-input"),
    ],
)
def test_errors_are_problems(
    client: TestClient, method: str, path: str, status: int, kind: str
) -> None:
    """Whatever is wrong with a request, the answer is a problem of a stable type."""
    is_problem(client.request(method, path), status, kind)


def test_bad_images_say_why(client: TestClient) -> None:
    """A bad image has a keyword beside its sentence."""
    for data, reason in ((b"", "empty"), (png(1)[:300], "broken")):
        response = client.post("/v1/attributions", files={"image": data})
        assert is_problem(response, 422, "bad-image")["reason"] == reason
    assert is_problem(client.post("/v1/ingest-jobs", files={"file": png(1)}), 422, "bad-input")[
        "detail"
    ].startswith("a single work needs an artist")


def test_too_large_uploads_are_refused(client: TestClient) -> None:
    """By the announced length, by what arrives without one, and by the image itself."""
    form = {"content-type": "multipart/form-data; boundary=x"}
    is_problem(client.post("/v1/attributions", files={"image": bytes(3 << 20)}), 413, "too-large")
    is_problem(client.post("/v1/attributions", files={"image": bytes(600_000)}), 413, "too-large")
    is_problem(
        client.post("/v1/ingest-jobs", files={"file": bytes(3 << 20)}, data={"artist": "A"}),
        413,
        "too-large",
    )
    is_problem(
        client.post("/v1/attributions", content=b"", headers=form | {"content-length": "9" * 30}),
        413,
        "too-large",
    )


def test_foreign_hosts_and_pages_are_refused(tmp_path: Path) -> None:
    """Neither a rebound name nor a page of another site reaches the API."""
    app = create_app(settings(tmp_path, allowed_hosts=["art.example.org"]))
    with local_client(app) as client:
        evil = client.get("/v1/artists", headers={"host": "evil.example"})
        is_problem(evil, 421, "misdirected-request")
        for host in ("localhost:8000", "127.0.0.1", "[::1]:8000", "art.example.org"):
            assert client.get("/v1/artists", headers={"host": host}).status_code == 200
        for origin in ("http://evil.example", "null", "http://localhost:9"):
            answer = client.post(
                "/v1/attributions", files={"image": png(1)}, headers={"origin": origin}
            )
            is_problem(answer, 403, "cross-site-request")
        for origin in (LOCAL, "https://art.example.org"):
            answer = client.post(
                "/v1/attributions", files={"image": png(1)}, headers={"origin": origin}
            )
            assert answer.status_code == 201
        headers = client.get("/v1/artists").headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_a_defect_shows_nothing_of_the_inside(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody foresaw is a plain 500."""

    def broken(*_: object) -> None:
        raise RuntimeError("secret path /home/ann")

    monkeypatch.setattr("attribution.catalogue.queries.likely_aliases", broken)
    upload(client, png(1), artist="Ann")
    body = is_problem(client.get("/v1/artists/ann"), 500, "internal-error")
    assert "secret" not in str(body)


def test_health_readiness_and_metrics(filled: TestClient) -> None:
    """Each part is named; requests are counted by operation, not by path."""
    assert filled.get("/healthz").json() == {"status": "ok"}
    ready = filled.get("/readyz").json()
    parts = ("database", "index", "storage", "jobs", "models")
    assert ready == {"ready": True, "checks": dict.fromkeys(parts, "ok")}
    filled.get("/v1/artists/bob")
    filled.get("/nowhere/1")
    text = filled.get("/metrics").text
    assert 'lawful_works{status="indexed"} 12.0' in text
    assert 'lawful_http_requests_total{operation="get_artist",status="200"} 1.0' in text
    assert 'lawful_http_requests_total{operation="none",status="404"} 1.0' in text
    assert "/nowhere" not in text


def test_readiness_names_what_is_down(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that does not answer is named, with 503."""
    from attribution.errors import BackendUnavailable

    def down(_: object) -> None:
        raise BackendUnavailable("the database is away")

    monkeypatch.setattr("attribution.catalogue.queries.keys_exist", down)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "the database is away"
    assert response.json()["checks"]["index"] == "ok"


def test_a_job_says_what_it_waits_for(client: TestClient) -> None:
    """With the remarks on its source; null when it waits for nothing."""
    job = upload(client, png(1), artist="Ann")

    assert (job["waiting"], job["remarks"]) == (None, [])


def test_many_ask_while_a_job_runs(filled: TestClient) -> None:
    """Eight threads attribute while an archive is ingested; nobody fails."""
    data = archive({f"Eve/{n}.png": png(1000 + n) for n in range(100)})

    def ask(seed: int) -> str:
        response = filled.post("/v1/attributions", files={"image": png(seed)})
        assert response.status_code == 201, response.text
        slug: str = response.json()["copy_of"]["slug"]
        return slug

    with ThreadPoolExecutor(9) as threads:
        job = threads.submit(upload, filled, data, "eve.zip")
        answers = list(threads.map(ask, [0, 1, 2, 3, 10, 11, 12, 13] * 5))
        assert job.result()["outcomes"]["added"] == 100
    assert answers == (["ann-orn"] * 4 + ["bob"] * 4) * 5


def test_a_blank_picture_is_said_to_be_blank(filled: TestClient) -> None:
    """By the job that brings it in, by its state, and by every answer about it."""
    buffer = io.BytesIO()
    Image.new("RGB", (100, 80), "white").save(buffer, "PNG")
    page = buffer.getvalue()

    job = upload(filled, page, artist="Bob")
    (work,) = filled.get("/v1/artworks", params={"status": "blank"}).json()["items"]
    member = filled.post("/v1/attributions/members", files={"image": ("a.png", page)}).json()
    answer = filled.post("/v1/attributions", files={"image": ("a.png", page)}).json()
    found = filled.post("/v1/search", files={"image": ("a.png", page)}).json()

    assert (job["outcomes"]["added"], job["blank"]) == (1, 1)
    assert (work["artist"]["slug"], work["status"]) == ("bob", "blank")
    assert (member["copy_of"], member["is_blank"]) == (None, True)
    assert "the image is blank" in member["notes"][0]
    assert (answer["copy_of"], answer["artists"], answer["reasons"]) == (None, [], ["low_quality"])
    assert (found["hits"], found["notes"]) == ([], member["notes"])


def test_a_neighbour_may_probe_and_scrape_by_a_name_of_its_own(tmp_path: Path) -> None:
    """And reaches nothing else by it; a name that nobody set reaches nothing at all."""
    with local_client(create_app(settings(tmp_path, probe_hosts=["API"]))) as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert client.get(path, headers={"host": "api:8000"}).status_code == 200
            evil = client.get(path, headers={"host": "evil.example"})
            is_problem(evil, 421, "misdirected-request")
        elsewhere = client.get("/v1/artists", headers={"host": "api:8000"})
        is_problem(elsewhere, 421, "misdirected-request")


def test_without_memory_for_an_image_a_caller_is_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every door that reads one, and nothing is recorded; then it is answered as ever."""
    limits = collection.image_limits
    monkeypatch.setattr(
        collection, "image_limits", lambda given: replace(limits(given), wait_s=0.01)
    )
    image = {"image": png(1)}
    with local_client(create_app(settings(tmp_path / "home"))) as client:
        with decode.PERMITS.taken(100_000_000, wait_s=0):
            for door in ("attributions", "attributions/members", "credentials/verify", "search"):
                refused = client.post(f"/v1/{door}", files=image)
                is_problem(refused, 503, "backend-unavailable")
                assert int(refused.headers["retry-after"]) > 0
        assert client.get("/v1/attributions").json()["items"] == []
        assert client.post("/v1/attributions", files=image).status_code == 201
