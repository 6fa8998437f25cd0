"""People besides the operator: invited through the API, signed up through the link as anybody is."""

import secrets

from playwright.sync_api import Page

from aifs.sdk import Client
from tests.browser.conftest import START_PAGE
from tests.stack.stacks import Stack

PASSWORD = "a-long-enough-password"


def invite(stack: Stack, role: str = "engineer") -> tuple[str, str]:
    """A new invitation: (e-mail address, link)."""
    email, access = f"guest-{secrets.token_hex(4)}@example.com", stack.access
    with Client(access["url"], access["api_key"], access["project"], access["gateway_url"]) as client:
        link = client.post("members/", {"email": email, "role": role})["link"]
    return email, link


def join(page: Page, stack: Stack) -> str:
    """A new person, signed in here. Returns the e-mail address."""
    email, link = invite(stack)
    page.goto(link)
    page.locator("[name=email]").fill(email)
    page.locator("[name=password1]").fill(PASSWORD)
    page.locator("[name=password2]").fill(PASSWORD)
    page.locator(".plain-card form button").click()
    page.wait_for_url(START_PAGE)
    return email
