"""Insight in the console: charts with their numbers, the audit, keys and webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from api.console.pages.insight import shown_settings
from api.http.app import create_app
from tests.apis import png, settings
from tests.browser import Person, accessibility, at
from tests.console.test_lookup import choose
from tests.serving import serving


@pytest.fixture
def alone(browser: Browser, tmp_path: Path) -> Iterator[Person]:
    """Sit somebody down before a service of their own: from its first key on it asks for one."""
    with (
        serving(create_app(settings(tmp_path / "home"))) as (host, port),
        at(browser, f"http://{host}:{port}") as somebody,
    ):
        yield somebody


def test_charts_have_their_numbers_as_a_table(person: Person) -> None:
    """Nothing is only a picture."""
    page = person.page("/lookup")
    choose(page, ("a.png", png(621)))
    page.wait_for_url("**/console/lookup/*-*")

    page.get_by_role("link", name="Insight").click()

    expect(page.get_by_role("img", name="Answers by day and verdict")).to_be_visible()
    page.get_by_text("As a table").first.click()
    expect(page.get_by_role("region", name="Answers by day, as a table")).to_contain_text(
        "nobody is named"
    )


def test_the_audit_is_filtered_and_verified(person: Person) -> None:
    """An actor leads to what they did; the last entries are walked on demand."""
    page = person.page("/insight/audit")
    page.get_by_role("region", name="Entries").get_by_role("link", name="anyone").first.click()
    expect(page.get_by_label("Actor")).to_have_value("anyone on this machine")

    page.get_by_role("button", name="Verify now").click()

    expect(page.get_by_text("are as they were recorded")).to_be_visible()


def test_jobs_and_settings_are_told(person: Person) -> None:
    """Of settings names, values, and which were set."""
    jobs = person.page("/insight/jobs")
    expect(jobs.get_by_role("row", name="ingest").first).to_contain_text("done")
    shown = person.page("/insight/settings")
    expect(shown.get_by_role("row", name="LAWFUL_PROFILE stub")).to_contain_text("set")


def test_no_secret_of_the_settings_is_shown(tmp_path: Path) -> None:
    """Neither one that is a setting of its own, nor one within an address."""
    hidden = "hunter2"
    chosen = settings(
        tmp_path,
        database_url=f"postgresql://lawful:{hidden}@db/lawful",
        broker_url=f"redis://:{hidden}/@redis/0",
        timestamp_url=f"https://stamps.example.org/?key={hidden}",
        oidc_client_secret=hidden,
    )

    shown = {name: value for name, value, _ in shown_settings(chosen)}

    assert hidden not in str(shown)
    assert shown["LAWFUL_DATABASE_URL"] == "postgresql://…db/lawful"
    assert "not shown" in shown["LAWFUL_OIDC_CLIENT_SECRET"]


def test_a_key_is_made_shown_once_and_revoked(alone: Person) -> None:
    """The first key has everybody log in; what was shown is never shown again."""
    page = alone.page("/insight/keys")
    expect(page.get_by_text("There is no key yet")).to_be_visible()
    page.get_by_label("What it is for").fill("the operator")
    page.get_by_role("button", name="Make the key").click()
    token = page.locator("code.secret").inner_text()

    page.get_by_role("link", name="I have it").click()
    page.get_by_label("Key").fill(token)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/console/insight/keys")
    expect(page.get_by_text(token)).to_have_count(0)
    assert accessibility(page) == []

    page.get_by_label("What it is for").fill("a desk")
    page.get_by_label("Role").select_option("reviewer")
    page.get_by_role("button", name="Make the key").click()
    second = page.locator("code.secret").inner_text()
    page.get_by_role("link", name="I have it").click()
    page.get_by_role("button", name=f"Revoke {second[:11]}").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_role("row", name="a desk")).to_contain_text("revoked")


def test_a_webhook_is_made_and_ended(person: Person) -> None:
    """Its secret is shown once; what it was told is listed."""
    page = person.page("/insight/webhooks")
    page.get_by_label("Address that is told").fill("https://rights.example.org/hook")
    page.get_by_label("withdrawal.completed").uncheck()
    page.get_by_role("button", name="Make the webhook").click()
    expect(page.locator("code.secret")).to_contain_text("whsec_")
    page.get_by_role("link", name="I have it").click()
    row = page.get_by_role("row", name="https://rights.example.org/hook")
    expect(row).not_to_contain_text("withdrawal.completed")
    assert accessibility(page) == []

    page.get_by_role("button", name="End it").click()
    page.get_by_role("button", name="End the webhook").click()

    expect(page.get_by_role("button", name="End it")).to_have_count(0)
