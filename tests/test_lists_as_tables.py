"""Lists as CSV, JSON Lines and Parquet, by `Accept`."""

from __future__ import annotations

import csv
import io
import json

import pytest
from fastapi.testclient import TestClient
from pyarrow import Table, parquet

from api.http.app import create_app
from api.http.tables import preferred
from attribution.config import Settings
from ingest.sources.formulas import quote, unquote
from tests.apis import local_client, upload
from tests.apis import png as picture

PARQUET = "application/vnd.apache.parquet"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("text/csv", "text/csv"),
        ("application/json;q=0.5, text/csv;q=0.9", "text/csv"),
        ("text/csv;q=0.2, */*;q=0.9", "application/json"),
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=many", "application/json"),
        ("text/csv, application/json;q=nan", "text/csv"),
        ("text/csv;q=inf, application/json", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        (PARQUET, PARQUET),
    ],
)
def test_what_is_preferred(accept: str, kind: str) -> None:
    """JSON, unless another form is liked better."""
    assert preferred(accept) == kind


def test_a_list_in_every_form(ingested: Settings) -> None:
    """The same page; columns have dots, and a link leads to the next page."""
    with local_client(create_app(ingested)) as client:

        def get(accept: str, path: str = "/v1/artworks?limit=5") -> bytes:
            response = client.get(path, headers={"accept": accept})
            assert response.status_code == 200
            assert response.headers["content-type"].startswith(accept)
            assert response.headers["content-length"] == str(len(response.content))
            return response.content

        page = json.loads(get("application/json"))
        rows = list(csv.DictReader(io.StringIO(get("text/csv").decode("utf-8-sig"))))
        lines = [json.loads(line) for line in get("application/jsonl").splitlines()]
        table = parquet.read_table(io.BytesIO(get(PARQUET))).to_pylist()
        link = client.get("/v1/artworks?limit=5", headers={"accept": "text/csv"}).headers["link"]
        following = client.get(link.split(">")[0].lstrip("<")).json()
        empty = client.get("/v1/withdrawals", headers={"accept": "text/csv"})

    assert lines == page["items"]
    assert [row["id"] for row in rows] == [one["id"] for one in page["items"]]
    assert [row["artist.slug"] for row in table] == [one["artist"]["slug"] for one in lines]
    assert len(following["items"]) == 5
    assert not {one["id"] for one in following["items"]} & {one["id"] for one in lines}
    head = empty.content.decode("utf-8-sig").strip()
    assert head == "id,kind,artist_id,artwork_id,reason,requested_at,completed_at,receipt"


def test_a_search_in_every_form(ingested: Settings) -> None:
    """Its hits are the rows, what each leg gave is in one cell, and the next page has a link."""
    with local_client(create_app(ingested)) as client:
        path = "/v1/search?q=boat&limit=2"
        hits = client.get(path).json()["hits"]
        as_csv = client.get(path, headers={"accept": "text/csv"})
        as_parquet = client.get(path, headers={"accept": PARQUET})

    rows = list(csv.DictReader(io.StringIO(as_csv.content.decode("utf-8-sig"))))
    table = parquet.read_table(io.BytesIO(as_parquet.content)).to_pylist()

    assert len(hits) == 2
    assert [row["id"] for row in rows] == [hit["id"] for hit in hits]
    assert [json.loads(row["legs"]) for row in rows] == [hit["legs"] for hit in hits]
    assert [row["score"] for row in table] == [hit["score"] for hit in hits]
    assert 'rel="next"' in as_csv.headers["link"]


def test_cells_that_a_spreadsheet_would_run_are_quoted(client: TestClient) -> None:
    """A title that is a formula stays a text."""
    upload(client, picture(1), artist="Ann", title="=HYPERLINK(evil)")
    said = client.get("/v1/artworks", headers={"accept": "text/csv"}).content.decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(said))
    assert row["title"] == "'=HYPERLINK(evil)"


@pytest.mark.parametrize("title", ["=1+1", "\n=1", "  @SUM(A1)", "＝1", "-2", "'=1", "a title"])
def test_a_cell_comes_back_as_it_was(title: str) -> None:
    """Quoted where a spreadsheet might run it, and read as the same text."""
    cell = quote(title)
    assert unquote(cell) == title
    assert cell == title if title == "a title" else cell.startswith("'")


def test_pages_have_the_same_columns(client: TestClient) -> None:
    """Whatever their rows hold, so that they can be put together."""
    csv_ = {"accept": "text/csv"}
    heads, tables = set(), list[Table]()
    for year in ("", "1999"):
        fields = {"year": year} if year else {}
        upload(client, picture(len(tables) + 1), artist="Ann", **fields)
        page = "/v1/artworks?limit=1"
        heads.add(client.get(page, headers=csv_).content.splitlines()[0])
        answer = client.get(page, headers={"accept": PARQUET})
        tables.append(parquet.read_table(io.BytesIO(answer.content)))
    assert len(heads) == 1
    assert tables[0].schema == tables[1].schema
    assert tables[1]["year"].to_pylist() == [1999]


def test_what_is_no_list_stays_as_it_is(client: TestClient) -> None:
    """Errors and single things are JSON, whatever is asked for."""
    csv_ = {"accept": "text/csv"}
    assert client.get("/healthz", headers=csv_).headers["content-type"] == "application/json"
    gone = client.get("/v1/artists/nobody-here", headers=csv_)
    assert gone.headers["content-type"] == "application/problem+json"
