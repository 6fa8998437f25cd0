"""Lists that keep what they show fresh, without a row moving."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from aifs.sdk import Client
from tests.browser.looks import Console
from tests.browser.seed import World
from tests.stack.stacks import Stack

NAME = "comes-and-goes"
WAIT_MS = 120_000


@pytest.fixture
def client(stack: Stack, world: World) -> Iterator[Client]:
    access = stack.access
    with Client(access["url"], access["api_key"], access["project"]) as client:
        client.deployments.create(world.tuned, name=NAME, runtime="transformers")
        yield client
        client.deployments.delete(NAME)


def test_deployments_change_their_states_where_they_stand(
    desk: BrowserContext, stack: Stack, world: World, client: Client
) -> None:
    page: Page = desk.new_page()
    console = Console(page)
    page.goto(f"{stack.access['url']}/p/{world.project}/models/deployments/")
    page.evaluate("window.asItWas = [...document.querySelectorAll('tbody tr')]")
    row = page.locator("tbody tr", has_text=NAME)
    row.get_by_role("link").focus()
    row.hover()
    expect(row).to_contain_text("Ready", timeout=WAIT_MS)
    expect(row).to_contain_text("1 / 1")
    client.deployments.stop(NAME)
    expect(row).to_contain_text("Stopped", timeout=WAIT_MS)
    expect(row).to_contain_text("0 / 1")
    rows = "[...document.querySelectorAll('tbody tr')]"
    assert page.evaluate(f"{rows}.every((row, at) => row === window.asItWas[at]) && {rows}.length === asItWas.length")
    expect(row.get_by_role("link")).to_be_focused()
    assert not console.take()
