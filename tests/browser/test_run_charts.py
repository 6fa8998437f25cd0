"""The charts of a run's first page: loss, throughput beneath it, and every device beneath both."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, WebSocketRoute, expect

from tests.browser.looks import COLOURS, Console, axe, chinese, choose_language, overflow
from tests.browser.seed import World
from tests.stack.stacks import Stack

CARDS = 2
AT = 1_700_000_000


@pytest.fixture
def run(stack: Stack, world: World) -> dict[str, Any]:
    job: dict[str, Any] = stack.get(f"/api/v1/jobs/?project={world.project}&kind=lmt.sft")["results"][0]
    return job


@pytest.fixture
def address(stack: Stack, world: World, run: dict[str, Any]) -> str:
    return f"{stack.access['url']}/p/{world.project}/tune/{run['id']}/"


@pytest.fixture
def page(desk: BrowserContext) -> Page:
    return desk.new_page()


@pytest.fixture
def phone(browser: Browser, signed_in: str, stack: Stack) -> Iterator[Page]:
    """Chinese and dark."""
    context = chinese(browser, signed_in, stack)
    page = context.new_page()
    yield page
    page.unroute_all(behavior="ignoreErrors")
    choose_language(page, stack, "English")
    context.close()


def give_cards(page: Page) -> list[str]:
    """The real series of a run, and those its machine would have with two cards. Returns the addresses asked."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        response = route.fetch()
        found = response.json()
        series, times = found["series"], found["series"]["loss"]["times"]
        seconds = [int(times[0]) + n for n in range(int(times[-1] - times[0]) + 2)]
        devices = {"device.cpu_pct": 60.0, "device.memory_mib": 1200.0}
        for card in range(CARDS):
            devices |= {f"device.gpu{card}_pct": 80.0 + card, f"device.gpu{card}_memory_mib": 9000.0 + 500 * card}
        for name, value in devices.items():
            values = [value + 9 * (n % 3) / 2 for n in range(len(seconds))]
            series.setdefault(name, {"steps": seconds, "values": values, "times": seconds, "thinned": False})
        route.fulfill(response=response, json=found)

    page.route("**/metrics/?*", answer)
    return asked


def strip(page: Page, title: str) -> Locator:
    head = page.locator(".chart-head", has_text=title)
    return page.locator("metric-chart figure figure[data-strip]", has=head).last


def test_every_accelerator_stands_beneath_loss_and_throughput(page: Page, address: str) -> None:
    console, asked = Console(page), give_cards(page)
    page.goto(address)
    labels = strip(page, "Utilisation").locator(".u-legend .u-label")
    expect(labels).to_have_text(["Step", "Processor (% of its cores)", "Accelerator 0 (%)", "Accelerator 1 (%)"])
    labels = strip(page, "Memory").locator(".u-legend .u-label")
    cards = ["Accelerator 0, memory (MiB)", "Accelerator 1, memory (MiB)"]
    expect(labels).to_have_text(["Step", "Memory (MiB)", *cards])
    assert "device.*" in asked[0].replace("%2A", "*"), "whatever devices there are"
    throughput = strip(page, "Tokens per second")
    expect(throughput.locator("canvas")).to_be_visible()
    expect(throughput.locator("tbody tr").first).to_be_attached()
    heads = page.locator("metric-chart figcaption > span:first-child")
    expect(heads).to_have_text(["Loss, Held-out loss", "Tokens per second", "Utilisation", "Memory"])
    assert not overflow(page) + axe(page) + console.take()


def test_the_table_names_every_step_once(page: Page, address: str) -> None:
    """The machine is read more often than a step ends; the newest reading of each step counts."""
    loss = {"steps": [1, 2, 3], "values": [3.0, 2.0, 1.0], "times": [AT, AT + 10, AT + 20]}
    seconds = [AT + n for n in range(21)]
    busy = {"steps": seconds, "values": list(range(21)), "times": seconds}
    page.route("**/metrics/?*", lambda route: route.fulfill(json={"series": {"loss": loss, "device.cpu_pct": busy}}))
    page.route_web_socket("**/ws/jobs/**", lambda socket: None)  # what really happened is not told
    page.goto(address)
    table = strip(page, "Utilisation").locator("tbody")
    expect(table.locator("th")).to_have_text(["1", "2", "3"])
    expect(table.locator("td")).to_have_text(["4", "14", "20"])


def test_the_charts_on_a_phone(phone: Page, address: str) -> None:
    give_cards(phone)
    phone.goto(address)
    labels = strip(phone, "利用率").locator(".u-legend .u-label")
    expect(labels).to_have_count(2 + CARDS)
    expect(strip(phone, "每秒词元数").locator("canvas")).to_be_visible()
    assert not overflow(phone) + axe(phone, COLOURS)


def test_a_device_seen_for_the_first_time_gets_its_line(page: Page, address: str, run: dict[str, Any]) -> None:
    sockets: list[WebSocketRoute] = []
    page.route("**/metrics/?*", lambda route: route.fulfill(json={"series": {}}))
    page.route_web_socket("**/ws/jobs/**", lambda socket: sockets.append(socket))
    page.goto(address)
    live = Live(page, sockets, run)
    strips = page.locator("metric-chart [data-strip]")
    expect(page.locator("metric-chart figure").first).to_contain_text("No points yet")
    expect(strips).to_have_count(0)
    live.tell(AT, {"device.cpu_pct": 50.0})
    live.tell(AT + 5, {"device.cpu_pct": 60.0})
    expect(strip(page, "Utilisation").locator("tbody th").last).to_have_text("5 s")
    live.tell(1, {"loss": 2.0, "tokens_per_s": 900.0})
    expect(strip(page, "Tokens per second").locator("canvas")).to_be_visible()
    live.tell(AT + 10, {"device.gpu1_pct": 70.0, "device.cpu_pct": 60.0})
    live.tell(AT + 15, {"device.gpu0_pct": 80.0, "device.gpu0_memory_mib": 9000.0})
    labels = strip(page, "Utilisation").locator(".u-legend .u-label")
    expect(labels).to_have_text(["Time", "Processor (% of its cores)", "Accelerator 0 (%)", "Accelerator 1 (%)"])
    live.tell(2, {"loss": 1.5, "tokens_per_s": 950.0})
    live.tell(AT + 20, {"device.gpu0_pct": 85.0})
    expect(labels.first).to_have_text("Step")
    heads = page.locator("metric-chart figcaption > span:first-child")
    expect(heads).to_have_text(["Loss, Held-out loss", "Tokens per second", "Utilisation", "Memory"])


class Live:
    """The server's end of a page's socket."""

    def __init__(self, page: Page, sockets: list[WebSocketRoute], run: dict[str, Any]) -> None:
        while not sockets:
            page.wait_for_timeout(50)
        self.socket, self.seq = sockets[-1], int(run.get("last_seq", 0)) + 1000

    def tell(self, step: int, values: dict[str, float]) -> None:
        self.seq += 1
        event = {"seq": self.seq, "type": "metric", "step": step, "values": values}
        self.socket.send(json.dumps({"type": "events", "seq": self.seq, "events": [event]}))
