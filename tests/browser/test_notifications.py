"""The bell rings without a reload, and leads to what happened."""

import re

from playwright.sync_api import BrowserContext, expect

from aifs.sdk import Client
from tests.browser.conftest import START_PAGE
from tests.browser.looks import Console, axe, overflow
from tests.stack.stacks import Stack


def test_a_job_that_ends_rings_the_bell(desk: BrowserContext, stack: Stack) -> None:
    access, page = stack.access, desk.new_page()
    with Client(access["url"], access["api_key"], access["project"], access["gateway_url"]) as client:
        client.http.post("/api/v1/notifications/read-all/", json={}).raise_for_status()
        page.goto(access["url"])
        page.wait_for_url(START_PAGE)
        console, bell = Console(page), page.locator("notification-bell a")
        expect(bell).to_have_attribute("aria-label", "Notifications", timeout=30_000)
        client.jobs.start("gpucloud.check", {}, name="look at the node").wait(timeout_s=120)
    expect(bell).to_have_attribute("aria-label", "Notifications: 1 not read", timeout=30_000)
    bell.click()
    page.wait_for_url(re.compile("/notifications/$"))
    for size in ({"width": 1280, "height": 900}, {"width": 390, "height": 844}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert overflow(page) + axe(page) == []
    page.get_by_role("link", name="look at the node").click()
    page.wait_for_url(re.compile("/jobs/"))
    expect(page.locator("notification-bell .bell-count")).to_have_count(0)
    assert console.take() == []


def test_the_pages_of_notifications_and_webhooks_are_clean(desk: BrowserContext, stack: Stack) -> None:
    access, page = stack.access, desk.new_page()
    console = Console(page)
    settings = f"/p/{access['project']}/settings/webhooks/"
    page.goto(access["url"] + settings)
    page.get_by_label("Address").fill("https://1.1.1.1/hook")
    page.get_by_label("A job of yours fails").check()
    page.get_by_role("button", name="Create webhook").click()
    expect(page.locator("#fresh-secret")).to_be_visible()
    page.get_by_role("link", name="https://1.1.1.1/hook").click()
    detail = page.url.removeprefix(access["url"])
    for path in (settings, detail, "/notifications/settings/", "/notifications/?unread=1"):
        page.goto(access["url"] + path)
        for size in ({"width": 1280, "height": 900}, {"width": 390, "height": 844}):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            assert overflow(page) + axe(page) == [], path
    assert console.take() == []
