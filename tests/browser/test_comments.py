"""Two people talk about a job: a mention by keyboard, the bell of who is meant, what cannot be smuggled in."""

import re
import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from aifs.sdk import Client
from tests.browser.conftest import START_PAGE
from tests.browser.looks import Console, axe, overflow
from tests.stack.stacks import Stack

COLLEAGUE = "berta@example.com"


@pytest.fixture(scope="module")
def job(stack: Stack) -> str:
    """The address of a job's page."""
    access = stack.access
    with Client(access["url"], access["api_key"], access["project"], access["gateway_url"]) as client:
        job = client.jobs.start("gpucloud.check", {}, name="talk about the node")
        job.wait(timeout_s=120)
    return f"{access['url']}/p/{access['project']}/jobs/{job.id}/"


@pytest.fixture(scope="module")
def colleague(stack: Stack, browser: Browser) -> Iterator[Page]:
    """Comes in by invitation."""
    access = stack.access
    with Client(access["url"], access["api_key"], access["project"], access["gateway_url"]) as client:
        wanted = {"project": access["project"], "email": COLLEAGUE, "role": "expert"}
        invited = client.http.post("/api/v1/members/", json=wanted)
        invited.raise_for_status()
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(invited.json()["link"])
    password = secrets.token_urlsafe(16)
    page.get_by_label("Email").fill(COLLEAGUE)
    page.locator("input[type=password]").nth(0).fill(password)
    page.locator("input[type=password]").nth(1).fill(password)
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url(START_PAGE)
    yield page
    context.close()


def test_a_mention_by_keyboard_rings_the_bell_of_who_is_meant(desk: BrowserContext, colleague: Page, job: str) -> None:
    page = desk.new_page()
    console = Console(page)
    page.goto(job)
    box = page.get_by_label("Your comment")
    box.focus()
    page.keyboard.type("Please look, @bert")
    option = page.get_by_role("option", name=re.compile("berta"))
    expect(option).to_have_attribute("aria-selected", "true")
    assert axe(page) == []
    page.keyboard.press("Escape")
    expect(option).to_be_hidden()
    page.keyboard.type("a")
    expect(option).to_be_visible()
    page.keyboard.press("Enter")
    expect(box).to_have_value(f"Please look, @{COLLEAGUE} ")
    expect(box).to_be_focused()
    page.keyboard.type("<b>now</b>\nsecond line")
    page.keyboard.press("Control+Enter")
    said = page.locator("li.comment").last
    expect(said.locator(".mention")).to_have_text(f"@{COLLEAGUE}")
    expect(said.locator(".comment-text")).to_contain_text("<b>now</b>")
    expect(page.get_by_label("Your comment")).to_have_value("")
    for size in ({"width": 1280, "height": 900}, {"width": 390, "height": 844}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert overflow(page) + axe(page) == []
    assert console.take() == []
    colleague.goto(job.partition("/p/")[0] + "/notifications/")
    colleague.get_by_role("link", name="mentions you in a comment on talk about the node").click()
    colleague.wait_for_url(re.compile("#comment-"))
    expect(colleague.locator("li.comment[data-named]")).to_be_in_viewport()


def test_answer_resolve_edit_delete(desk: BrowserContext, colleague: Page, job: str) -> None:
    colleague.goto(job)
    colleague.get_by_label("Your comment").fill("I looked.")
    colleague.get_by_role("button", name="Comment", exact=True).click()
    mine = colleague.locator("li.comment").filter(has_text="I looked.")
    mine.get_by_text("Edit", exact=True).click()
    mine.get_by_label("What it should say").fill("I looked, all is well.")
    mine.get_by_role("button", name="Save").click()
    mine = colleague.locator("li.comment").filter(has_text="all is well")
    expect(mine).to_contain_text("edited")
    page = desk.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(job)
    theirs = page.locator("li.comment").filter(has_text="all is well")
    theirs.get_by_role("button", name="Resolve").click()
    expect(theirs).to_contain_text("Resolved by")
    assert axe(page) == []
    expect(theirs.get_by_text("Edit", exact=True)).to_have_count(0)
    theirs.get_by_role("button", name="Delete").click()  # the operator owns the project
    expect(theirs).to_have_count(0)


def test_what_is_being_written_outlives_a_reload_and_a_refusal_says_why(desk: BrowserContext, job: str) -> None:
    page = desk.new_page()
    page.goto(job)
    box = page.get_by_label("Your comment")
    expect(box).to_have_attribute("aria-autocomplete", "list")
    box.fill("half a thou")
    page.reload()
    expect(box).to_have_value("half a thou")
    page.eval_on_selector(
        "#comment-text", "(area) => { area.removeAttribute('maxlength'); area.value = 'x'.repeat(4001); }"
    )
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("at most 4000 characters")
    expect(box).to_have_value("x" * 4001)
