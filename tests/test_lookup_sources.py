"""What a lookup batch is made of: archives, tables of URLs, and what of them cannot be used."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from attribution.catalogue import queries
from attribution.errors import BadInput, TooLarge
from attribution.network import Address
from attribution.services import Services, open_services
from ingest.fetching import Fetcher
from ingest.lookups import accept
from tests.apis import archive, png, settings
from tests.lookups import begin, lines, run, status
from tests.web import HERE, LOCAL, MOST, at, serving


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Open an empty collection."""
    with open_services(settings(tmp_path / "home")) as opened:
        yield opened


def test_urls_of_a_table(services: Services) -> None:
    """What is there is answered, with what the server said; broken lines are refused singly."""
    with serving() as server:
        rows = [at(server, "/a.png"), at(server, "/page"), "ftp://a.example/a.png", ""]
        table = "URL;note\n" + "".join(f"{url};x\n" for url in rows) + "a;b;c;d\n"
        batch_id = begin(services, table.encode(), "links.csv")
        run(services, batch_id, fetcher=LOCAL)

    first, page, scheme, empty, broken = lines(services, batch_id)
    assert first.attribution_id
    assert first.fetched["url"] == rows[0]
    assert first.fetched["headers"]["etag"] == '"7"'
    assert "is text/html, not a picture" in (page.reason or "")
    assert "give http://… or https://…" in (scheme.reason or "")
    assert (empty.name, empty.reason) == ("line 5", "it has no URL")
    assert broken.name == "line 6"
    assert "it has 4 cells, the head has 2" in (broken.reason or "")
    assert status(services, batch_id) == "done"


def test_no_url_reaches_our_own_network(services: Services) -> None:
    """By no setting: the fetcher of a worker knows the public internet alone."""
    with serving() as server:
        url = f"http://127.0.0.1:{server.server_port}/a.png"
        batch_id = begin(services, f"url\n{url}\n".encode(), "links.csv")
        run(services, batch_id)
        assert server.RequestHandlerClass.asked == []  # type: ignore[attr-defined]

    (item,) = lines(services, batch_id)
    assert "not on the public internet" in (item.reason or "")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"name,year\na,1\n", "no column is known in 'name,year'; name them url"),
        (b"url\n", "has nothing to look up"),
        (archive({"a.png": png(1)})[:-30], "cannot be read"),
    ],
)
def test_an_upload_that_cannot_be_used_fails_its_batch(
    services: Services, data: bytes, says: str
) -> None:
    """The error says why, and the upload goes."""
    batch_id = accept(services, io.BytesIO(data), "x")
    with pytest.raises(BadInput):
        run(services, batch_id, 0)

    with services.sessions() as session:
        row = queries.lookup_batch_by_id(session, batch_id)
    assert row.status == "failed"
    assert says in (row.error or "")
    assert services.store.jobs_with_incoming() == []


def test_a_table_of_ten_thousand_rows(services: Services) -> None:
    """Broken lines, formulas and forbidden places are refused one by one, at once."""
    rows = [
        "https://a.example/1.png;fine",
        '"https://a.example/2.png;a quotation mark is missing',
        """'=HYPERLINK("https://a.example/3.png");x""",
        "https://ann:secret@a.example/4.png;with a password",
        "https://a.example/5.png;too;many;cells",
        f"https://a.example/{'6' * 5000}.png;long",
    ]
    table = "url;note\n" + "\n".join(rows + ["https://a.example/x.png;x"] * 9_994)
    started = time.monotonic()
    batch_id = begin(services, table.encode(), "links.csv")
    assert time.monotonic() - started < 10

    with services.sessions() as session:
        counts = queries.lookup_counts(session, batch_id)
    assert counts == {"pending": 9_995, "answered": 0, "refused": 5, "timed_out": 0}
    found = lines(services, batch_id)[:6]
    assert found[0].name == "https://a.example/1.png"
    assert [one.name for one in found[1:]] == [f"line {n}" for n in range(3, 8)]
    says = [
        "a quotation mark that begins here is never closed",
        "cannot be fetched; give http://… or https://…",
        "the URL at a.example holds a password; give one without",
        "it has 4 cells, the head has 2",
        "has more than 4096 characters",
    ]
    for item, said in zip(found[1:], says, strict=True):
        assert said in (item.reason or "")
        assert "secret" not in f"{item.name} {item.reason}"


def test_urls_that_lead_elsewhere(services: Services) -> None:
    """Loops, our own network, and a name whose address changes: each a reason, and the job ends."""
    asked = dict.fromkeys(("turns.example", "pictures.example"), 0)

    def turning(host: str, _port: int) -> Sequence[Address]:
        asked[host] += 1
        is_second = host == "turns.example" and asked[host] > 1
        return [ip_address("10.0.0.7")] if is_second else [HERE]

    with serving() as server:
        turned = f"http://turns.example:{server.server_port}/there"
        rows = [at(server, "/loop"), at(server, "/out"), turned, at(server, "/there")]
        metadata = "http://169.254.169.254/latest/meta-data"
        table = "url\n" + "\n".join([*rows, metadata]) + "\n"
        batch_id = begin(services, table.encode(), "links.csv")
        run(
            services,
            batch_id,
            fetcher=Fetcher(MOST, is_allowed=HERE.__eq__, resolve=turning),
        )
        final = at(server, "/a.png")

    loop, out, rebound, there, meta = lines(services, batch_id)
    assert "leads on more than 5 times" in (loop.reason or "")
    assert "169.254.169.254" in (out.reason or "")
    assert "turns.example is not on the public internet" in (rebound.reason or "")
    assert (there.outcome, there.fetched["url"]) == ("answered", final)
    assert meta.outcome == "refused"
    assert status(services, batch_id) == "done"


def test_more_than_fit_in_a_batch(services: Services) -> None:
    """One row too many: nothing of it is looked up, and the error says what to do."""
    table = "url\n" + "http://a.example/x.png\n" * 10_001
    batch_id = accept(services, io.BytesIO(table.encode()), "links.csv")
    with pytest.raises(TooLarge, match=r"links.csv has more than 10,000 images; split it"):
        run(services, batch_id, 0)
    assert status(services, batch_id) == "failed"


def test_a_spreadsheet_is_no_archive(services: Services) -> None:
    """It is zipped, and nobody means the files within."""
    with pytest.raises(BadInput, match=r"links.xlsx is a spreadsheet; save it as CSV"):
        accept(services, io.BytesIO(archive({"xl/workbook.xml": b"<x/>"})), "links.xlsx")


def test_names_in_any_encoding(services: Services) -> None:
    """They are only shown: none has to be asked for."""
    sent = archive({"AAAA.png": png(1)}).replace(b"AAAA", "富士".encode("cp932"))
    batch_id = begin(services, sent, "a.zip")

    assert [(one.outcome, one.name[-4:]) for one in lines(services, batch_id)] == [
        ("pending", ".png")
    ]
