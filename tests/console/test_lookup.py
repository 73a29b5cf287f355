"""Looking images up in the console."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.apis import png
from tests.browser import Person


def choose(page: Page, *images: tuple[str, bytes]) -> None:
    """Choose images, which are looked up at once."""
    files = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in images]
    page.get_by_label("Images").set_input_files(files)  # type: ignore[arg-type]


def test_one_image_leads_to_its_answer(person: Person) -> None:
    """The first line is the sentence that the API has; the lanes follow."""
    page = person.page("/lookup")

    choose(page, ("a.png", png(99)))

    page.wait_for_url("**/console/lookup/*-*")
    answer = page.request.get(page.url.replace("/console/lookup/", "/v1/attributions/")).json()
    expect(page.get_by_role("heading", level=1)).to_have_text(answer["summary"])
    for heading in ("Copy", "Style", "Provenance", "What this does not mean"):
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()


def test_each_of_many_images_gets_a_card(person: Person) -> None:
    """One that cannot be read is refused in its place, and the others go on."""
    page = person.page("/lookup")

    choose(page, ("a.png", png(1)), ("b.png", b"no image"), ("c.png", png(2)))

    results = page.locator("#results")
    expect(results.get_by_role("link", name="See the answer")).to_have_count(2)
    expect(results.get_by_role("alert")).to_contain_text("Bad image")


def test_a_url_of_our_own_network_is_refused_beside_the_form(person: Person) -> None:
    """What was typed stays."""
    page = person.page("/lookup")
    page.get_by_label("or the URL of an image").fill("http://169.254.169.254/latest")

    page.get_by_role("button", name="Look up").click()

    expect(page.get_by_role("alert").first).to_contain_text("169.254.169.254")
    expect(page.get_by_label("or the URL of an image")).to_have_value(
        "http://169.254.169.254/latest"
    )
