"""Pages of people who are not signed in: clean in both languages, in the light and in the dark, at a desk and on a
phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.crawl import SIGNED_OUT
from tests.browser.looks import DESK, PHONE, Console, axe, english, overflow
from tests.browser.people import invite
from tests.stack.stacks import Stack

INVITED, STALE_KEY, WRONG = "invited", "a reset that is too old", "an invitation that is wrong"


@pytest.fixture(scope="module")
def addresses(stack: Stack) -> dict[str, str]:
    """The invitation leads to the form that makes an account; without one nobody can sign up."""
    base, (_email, link) = stack.access["url"], invite(stack)
    more = {STALE_KEY: "/account/password/reset/key/1-old/", WRONG: "/invitations/nothing/"}
    return {name: base + path for name, path in (SIGNED_OUT | more).items()} | {INVITED: link}


@pytest.fixture
def desk_of_nobody(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="en-US", viewport=DESK, color_scheme="light")  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


@pytest.fixture
def chinese_phone_of_nobody(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="zh-CN", viewport=PHONE, color_scheme="dark")  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def words(page: Page) -> tuple[str, str]:
    return page.title(), page.locator("h1").inner_text()


@pytest.mark.parametrize("name", [*SIGNED_OUT, INVITED, STALE_KEY, WRONG])
def test_clean_in_both_languages(
    name: str, addresses: dict[str, str], desk_of_nobody: Page, chinese_phone_of_nobody: Page
) -> None:
    shown, expected = [], 404 if name == WRONG else 200
    for page, language in ((desk_of_nobody, "en"), (chinese_phone_of_nobody, "zh")):
        console = Console(page)
        answer = page.goto(addresses[name])
        assert answer is not None
        assert answer.status == expected
        heard = [line for line in console.take() if expected == 200 or "404" not in line]
        left_over = english(page) if language == "zh" else []
        assert overflow(page) + axe(page) + heard + left_over == [], language
        assert (page.locator("html").get_attribute("lang") or "").startswith(language)
        shown.append(words(page))
    (title, heading), (title_zh, heading_zh) = shown
    assert title != title_zh
    assert heading != heading_zh
