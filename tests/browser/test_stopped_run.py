"""A run that is watched, stopped, resumed and tried again from its own page."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from aifs.sdk import Client
from tests.browser.looks import DESK, PHONE, RULES, Console, axe, chinese, choose_language, overflow
from tests.browser.seed import World
from tests.stack.stacks import Stack

WAIT_MS = 120_000
LONG: dict[str, Any] = {
    "epochs": 1000,
    "learning_rate": 5e-3,
    "max_steps": 3000,
    "save_steps": 10,
    "eval_steps": 40,
    "eval_rows": 4,
    "sample_tokens": 8,
}


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    access = stack.access
    with Client(access["url"], access["api_key"], access["project"]) as client:
        yield client


@pytest.fixture
def page(desk: BrowserContext) -> Page:
    return desk.new_page()


def test_a_run_is_watched_stopped_and_resumed(
    page: Page, browser: Browser, signed_in: str, stack: Stack, world: World, client: Client
) -> None:
    console = Console(page)
    tuning = {"model": world.model, "dataset": world.dataset, "name": "stopped", "max_length": 128}
    run = client.jobs.start("lmt.sft", tuning | LONG)
    address = f"{stack.access['url']}/p/{world.project}/tune/{run.id}/"
    page.goto(address)
    answers = page.locator("#samples dt")
    expect(answers.filter(has_text=re.compile("^Steps? 0"))).not_to_have_count(0, timeout=WAIT_MS)
    page.evaluate("window.asItWas = true")
    expect(answers.filter(has_text=re.compile(r"(to|Step) \d\d+$"))).not_to_have_count(0, timeout=WAIT_MS)
    assert page.evaluate("window.asItWas"), "answers came without loading the page again"

    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))  # type: ignore[func-returns-value]
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("main [data-state=cancelled]").first).to_be_visible(timeout=WAIT_MS)
    assert "newest checkpoint" in asked[0]
    resume = page.get_by_role("button", name="Resume")
    expect(resume).to_be_visible()
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    looks_well(page, "Resume")
    context = chinese(browser, signed_in, stack)
    other = context.new_page()
    other.goto(address)
    looks_well(other, "断点续训")
    choose_language(other, stack, "English")
    context.close()

    done = run.refresh()["progress"]["done"]
    resume.click()
    expect(page.locator("main [data-state=running]").first).to_be_visible(timeout=WAIT_MS)
    assert page.url == address, "whoever stops and resumes stays on the page of the run"
    went_on_from = run.refresh()["attempts"][0]["resumed_from_step"]
    assert done - LONG["save_steps"] < went_on_from <= done
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(answers).not_to_have_count(0)
    run.cancel()
    expect(resume).to_be_visible(timeout=WAIT_MS)
    wrong = console.take()
    assert not wrong, "\n".join(wrong)


def looks_well(page: Page, button: str) -> None:
    """At a desk and in the window of a phone."""
    for size in (DESK, PHONE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        expect(page.get_by_role("button", name=button, exact=True)).to_be_in_viewport()
        wrong = overflow(page) + axe(page, RULES)
        assert not wrong, "\n".join(wrong)
