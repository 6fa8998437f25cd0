"""Every kind of page, found by following links from the dashboard: axe-clean, as wide as the window, quiet, in both
languages and both themes."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.crawl import FORMS_MAKE, SIGNED_OUT, crawl, pages_of_the_map
from tests.browser.looks import COLOURS, DESK, PHONE, RULES, Console, axe, chinese, choose_language, english, overflow
from tests.browser.seed import World
from tests.stack.stacks import Stack

OF_THE_MAIN_JOB = {
    "core:dashboard", "core:settings_keys", "core:settings_members", "core:audit_list", "core:artefact_list",
    "core:lineage_detail", "datasets:dataset_list", "datasets:import_create", "datasets:version_detail",
    "datasets:clean_create", "gpucloud:job_list", "gpucloud:job_detail", "lms:model_list", "lms:model_import",
    "lms:model_detail", "lms:version_detail", "lms:evaluation_create", "lms:evaluation_detail", "lms:deployment_list",
    "lms:deployment_create", "lms:deployment_detail", "lms:playground", "lmt:run_list", "lmt:run_create",
    "prompts:prompt_list", "prompts:prompt_create", "prompts:prompt_detail", "prompts:service_detail",
    "prompts:service_chat",
}  # fmt: skip

COLUMNS = frozenset({"question", "choices", "answer"})
"""Of the benchmark that stands on a page."""


@pytest.fixture(scope="session")
def pages(stack: Stack, world: World, browser: Browser, signed_in: str) -> dict[str, str]:
    """One address of every kind of page: {view name: path}."""
    context = browser.new_context(storage_state=signed_in)
    found = crawl(context.new_page(), stack, world)
    context.close()
    return found


def look(
    page: Page, pages: dict[str, str], base: str, also: Callable[[Page], list[str]], rules: dict[str, Any] = RULES
) -> list[str]:
    """What is wrong with any of the pages."""
    console, found = Console(page), []
    for name, path in pages.items():
        answer = page.goto(base + path)
        page.wait_for_timeout(150)
        wrong = [] if answer and answer.ok else [f"status {answer and answer.status}"]
        wrong += overflow(page) + axe(page, rules) + also(page) + console.take()
        found += [f"{name}: {line}" for line in wrong]
    return found


def narrow(page: Page) -> list[str]:
    """The same page in the window of a phone."""
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    found = overflow(page)
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    return found


def test_the_main_job_has_all_its_pages(pages: dict[str, str]) -> None:
    names = {name.partition(" ")[0] for name in pages}
    assert OF_THE_MAIN_JOB - names == set()


def test_no_page_is_out_of_reach(pages: dict[str, str]) -> None:
    """A new page is looked at here and photographed by `scripts/screenshots.py`, or is named in `crawl.py` as none."""
    reached = {name.partition(" ")[0] for name in pages}
    assert pages_of_the_map() - reached - set(SIGNED_OUT) - FORMS_MAKE == set()


def test_english_at_a_desk_and_on_a_phone(pages: dict[str, str], stack: Stack, desk: BrowserContext) -> None:
    found = look(desk.new_page(), pages, stack.access["url"], narrow)
    assert not found, "\n".join(found)


def test_chinese_in_the_dark_on_a_phone(pages: dict[str, str], stack: Stack, browser: Browser, signed_in: str) -> None:
    """Names of columns are the file's own words and stay in English."""
    context = chinese(browser, signed_in, stack)
    page = context.new_page()
    found = look(page, pages, stack.access["url"], lambda page: english(page, COLUMNS), COLOURS)
    choose_language(page, stack, "English")
    context.close()
    assert not found, "\n".join(found)
