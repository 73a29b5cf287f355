"""Drawing pictures in the console, and what is said before one is looked at."""

from __future__ import annotations

from collections.abc import Mapping

from playwright.sync_api import FilePayload, Page, expect

from tests.browser import Person
from tests.console.test_batches import register
from tests.portfolios import wait_until
from tests.signing import image_bytes, manifest_image


def test_a_prompt_gives_a_picture_with_its_references(person: Person) -> None:
    """Who is named in the prompt, whom the picture is compared with, and what they allow."""
    page = person.page("/generate")
    page.get_by_label("What to draw").fill("a boat by Artist 0, in oil")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Pictures").fill("2")
    page.get_by_label("Seed").fill("7")

    page.get_by_role("button", name="Draw").click()

    page.wait_for_url("**/console/generate/*-*")
    expect(page.get_by_role("heading", level=1)).to_have_text("a boat by Artist 0, in oil")
    expect(page.get_by_role("region", name="Registered names")).to_contain_text("artist-0")
    references = page.get_by_role("region", name="Artists that the answer names")
    expect(references.get_by_role("row").nth(1)).to_contain_text("never asked")
    expect(page.get_by_text("It has no Content Credentials.")).to_be_visible()

    page.get_by_role("navigation", name="Pictures").get_by_role("link", name="2").click()
    expect(page.get_by_role("definition").filter(has_text="8").first).to_be_visible()
    with page.expect_download() as saving:
        page.get_by_role("link", name="Save the picture").click()
    assert saving.value.suggested_filename.endswith("-1.png")


def test_a_near_copy_is_told_before_it_is_shown(person: Person, console: str) -> None:
    """The picture is behind a button."""
    wanted = {"prompt": "a boat of Gus", "seed": 70}
    page = person.page("/generate")
    drawn = draw(page, console, wanted)
    picture = page.request.get(f"{console}/v1/generations/{drawn}/images/0").body()
    register(page, console, picture, "Gus Generate")

    page.goto(f"{console}/console/generate/{draw(page, console, wanted)}")

    expect(page.get_by_role("note")).to_contain_text("Shows the same image")
    shown = page.get_by_role("img", name="The picture that was drawn")
    expect(shown).to_be_hidden()
    page.get_by_text("Show the picture all the same").click()
    expect(shown).to_be_visible()


def test_a_picture_can_be_given(person: Person) -> None:
    """What is made from it is told beside what was found of it; a no in its file refuses it."""
    page = person.page("/generate")
    page.get_by_label("What to draw").fill("a boat at night")
    chosen = page.get_by_label("A picture to make it from")
    no = {"entries": {"cawg.ai_inference": {"use": "notAllowed"}}}
    forbidden = manifest_image(("cawg.training-mining", no))
    chosen.set_input_files(FilePayload(name="no.png", mimeType="image/png", buffer=forbidden))
    page.get_by_role("button", name="Draw").click()
    expect(page.get_by_role("alert").first).to_contain_text("forbids this in its metadata")
    own = image_bytes(seed=808)
    chosen.set_input_files(FilePayload(name="own.png", mimeType="image/png", buffer=own))
    page.get_by_label("How far to go from it").fill("0.5")

    page.get_by_role("button", name="Draw").click()

    page.wait_for_url("**/console/generate/*-*")
    found = page.get_by_role("region", name="The picture that was given")
    expect(found).to_contain_text("Made from a picture that was given (SHA-256")
    found.get_by_role("link", name="See what was found of it").click()
    page.wait_for_url("**/console/lookup/*-*")


def draw(page: Page, console: str, wanted: Mapping[str, object]) -> str:
    """Have a picture drawn; returns the id of the request."""
    asked = page.request.post(f"{console}/v1/generations", data=dict(wanted)).json()
    wait_until(lambda: page.request.get(f"{console}/v1/jobs/{asked['id']}").json()["has_ended"])
    return str(asked["id"])


def test_what_no_model_can_follow_is_refused_beside_the_form(person: Person) -> None:
    """The prompt stays."""
    page = person.page("/generate")
    page.get_by_label("What to draw").fill("   ")

    page.get_by_role("button", name="Draw").click()

    expect(page.get_by_role("alert").first).to_contain_text("the prompt is empty")
