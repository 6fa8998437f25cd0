"""A person turns on the code of a second factor, signs in with it, makes new recovery codes and turns it off again:
every page on the way is clean, in both languages, at a desk and on a phone."""

import re
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.utils import translation
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import START_PAGE
from tests.browser.looks import DESK, PHONE, Console, axe, english, overflow
from tests.browser.people import PASSWORD, join
from tests.stack.stacks import Stack

STEP_S = 30
"""RFC 6238: how long a code is shown."""
LANGUAGES = {"en": ("en-US", "light"), "zh-hans": ("zh-CN", "dark")}


class Traveller:
    """A person in one language. `at` waits for a page and looks at it; `press` takes the English word of a button."""

    def __init__(self, page: Page, base: str, language: str) -> None:
        self.page, self.base, self.language = page, base, language
        self.console = Console(page)

    def say(self, text: str) -> str:
        with translation.override(self.language):
            return translation.gettext(text)

    def press(self, text: str) -> None:
        main = self.page.locator("#content")
        found = main.get_by_role("button", name=self.say(text), exact=True)
        found.or_(main.get_by_role("link", name=self.say(text), exact=True)).click()

    def at(self, path: str, heading: str) -> None:
        self.page.wait_for_url(re.compile(path + r"(\?.*)?$"))
        expect(self.page.locator("h1")).to_have_text(self.say(heading))
        self.look()

    def look(self) -> None:
        found = english(self.page) if self.language == "zh-hans" else []
        for size in (PHONE, DESK):
            self.page.set_viewport_size(size)  # type: ignore[arg-type]
            found += overflow(self.page) + axe(self.page)
        assert found + self.console.take() == [], self.page.url

    def give(self, code: str) -> None:
        """Type a code and send the form it stands in."""
        field = self.page.locator("[name=code]")
        field.fill(code)
        field.press("Enter")

    def prove(self) -> None:
        """Type the password where it is asked once more."""
        self.at("/account/reauthenticate/", "Is it really you?")
        self.page.locator("[name=password]").fill(PASSWORD)
        self.press("Go on")

    def code(self, secret: str) -> str:
        """What an app shows: a code that lasts for a while yet."""
        left_s = STEP_S - time.time() % STEP_S
        if left_s < 5:
            self.page.wait_for_timeout(left_s * 1000 + 50)
        return format_hotp_value(hotp_value(secret, int(time.time()) // STEP_S))

    def sign_out_and_in(self, email: str) -> None:
        self.page.goto(self.base + "/account/logout/")
        self.press("Sign out")
        self.page.goto(self.base + "/account/login/")
        self.page.locator("[name=login]").fill(email)
        self.page.locator("[name=password]").fill(PASSWORD)
        self.press("Sign in")
        self.at("/account/2fa/authenticate/", "Two-factor sign-in")


@pytest.fixture(params=LANGUAGES)
def traveller(request: pytest.FixtureRequest, browser: Browser, stack: Stack) -> Iterator[Traveller]:
    locale, theme = LANGUAGES[request.param]
    context = browser.new_context(locale=locale, color_scheme=theme, viewport=DESK)  # type: ignore[arg-type]
    context.set_default_timeout(20_000)
    yield Traveller(context.new_page(), stack.access["url"], request.param)
    context.close()


def shown_codes(page: Page) -> list[str]:
    return page.locator("#content ol code").all_inner_texts()


def test_a_second_factor_from_its_first_code_to_its_last(traveller: Traveller, stack: Stack) -> None:
    page, base = traveller.page, traveller.base
    email = join(page, stack)
    page.goto(base + "/account/2fa/")
    traveller.at("/account/2fa/", "Two-factor sign-in")

    # on
    traveller.press("Turn on")
    traveller.prove()
    traveller.at("/account/2fa/totp/activate/", "Turn on two-factor sign-in")
    secret = page.locator("#content [data-copy]").get_attribute("data-copy") or ""
    traveller.give("000000")
    expect(page.locator(".field-error")).to_be_visible()
    traveller.look()
    traveller.give(traveller.code(secret))
    traveller.at("/account/2fa/recovery-codes/", "Recovery codes")
    codes = shown_codes(page)
    assert len(codes) == 10
    traveller.press("I have kept them")
    traveller.at("/account/2fa/", "Two-factor sign-in")

    # signing in
    traveller.sign_out_and_in(email)
    traveller.give("wrong")
    expect(page.locator(".field-error")).to_be_visible()
    traveller.look()
    traveller.give(traveller.code(secret))
    page.wait_for_url(START_PAGE)
    traveller.sign_out_and_in(email)
    traveller.give(codes[0])
    page.wait_for_url(START_PAGE)

    # new recovery codes
    page.goto(base + "/account/2fa/recovery-codes/")
    traveller.prove()
    traveller.at("/account/2fa/recovery-codes/", "Recovery codes")
    assert shown_codes(page) == []
    traveller.press("Make new codes")
    traveller.at("/account/2fa/recovery-codes/generate/", "New recovery codes")
    traveller.press("Make new codes")
    traveller.at("/account/2fa/recovery-codes/", "Recovery codes")
    fresh = shown_codes(page)
    assert len(fresh) == 10
    assert not set(fresh) & set(codes)

    # off, proved with a code instead of the password
    page.goto(base + "/account/2fa/reauthenticate/?next=/account/2fa/totp/deactivate/")
    traveller.at("/account/2fa/reauthenticate/", "Is it really you?")
    traveller.give(fresh[0])
    traveller.at("/account/2fa/totp/deactivate/", "Turn off two-factor sign-in")
    traveller.press("Turn off")
    traveller.at("/account/2fa/", "Two-factor sign-in")
    expect(page.locator("#content").get_by_role("link", name=traveller.say("Turn on"), exact=True)).to_be_visible()
