"""Graphs of lineage and comparison of runs, moved and chosen as a reader would."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.seed import World
from tests.stack.stacks import Stack


@pytest.fixture
def page(desk: BrowserContext) -> Page:
    return desk.new_page()


def lineage_of(page: Page, stack: Stack, world: World) -> None:
    version = stack.get(f"/api/v1/model-versions/?model={world.tuned}")["results"][0]
    page.goto(f"{stack.access['url']}/p/{world.project}/lineage/model_version/{version['id']}/")
    expect(page.locator("lineage-graph .lineage-box").first).to_be_visible()


def test_the_graph_is_moved_by_pointer_wheel_and_keys(page: Page, stack: Stack, world: World) -> None:
    lineage_of(page, stack, world)
    drawing, frame = page.locator("lineage-graph svg > g").first, page.locator(".lineage-frame")

    def place() -> str:
        return str(drawing.get_attribute("transform"))

    states = [place()]

    def changed(action: Callable[[], None]) -> None:
        action()
        page.wait_for_timeout(50)
        assert place() not in states[-1:], action
        states.append(place())

    box = frame.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    changed(lambda: page.mouse.wheel(0, -300))
    page.mouse.down()
    changed(lambda: page.mouse.move(box["x"] + 120, box["y"] + 60, steps=4))
    page.mouse.up()
    frame.focus()
    for key in ("ArrowRight", "ArrowUp", "+", "-", "-"):
        changed(lambda key=key: page.keyboard.press(key))  # type: ignore[misc]
    changed(lambda: page.get_by_role("button", name="Show all").click())
    changed(lambda: page.get_by_role("button", name="Zoom in").click())


def test_arrows_walk_along_the_lines_of_the_graph(page: Page, stack: Stack, world: World) -> None:
    lineage_of(page, stack, world)
    page.locator("lineage-graph .lineage-box[aria-current]").focus()
    page.keyboard.press("ArrowLeft")
    left = page.evaluate("document.activeElement.textContent")
    assert "version" in left and page.evaluate("document.activeElement.classList.contains('lineage-box')")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") != left
    expect(page.locator("lineage-graph .lineage-line[data-on]").first).to_be_attached()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/(models|data|lineage|prompts)/"))


def test_two_hundred_nodes_stay_usable(page: Page, stack: Stack, world: World) -> None:
    node = {
        "type": "thing",
        "label": "thing",
        "version": "1",
        "project": "p",
        "url": "/x/",
        "graph": "/y/",
        "icon": "boxes",
    }
    node |= {
        "state": "",
        "state_label": "",
        "job": None,
        "sha256": "",
        "created_at": None,
        "stale": [],
        "dead_end": False,
    }
    nodes = [node | {"id": f"n{n}", "name": f"node {n}", "column": n // 20} for n in range(240)]
    edges = [{"parent": f"n{n}", "child": f"n{n + 20 + n % 3}", "role": "", "job": None} for n in range(215)]
    edges += [{"parent": f"n{n}", "child": f"n{n + 100}", "role": "", "job": None} for n in range(0, 120, 7)]
    graph = {"nodes": nodes, "edges": edges, "jobs": [], "truncated": False}
    page.route("**/api/v1/lineage/**", lambda route: route.fulfill(json=graph))
    lineage_of(page, stack, world)
    expect(page.locator("lineage-graph .lineage-box")).to_have_count(240)
    page.get_by_role("button", name="Show all").click()
    box = page.locator(".lineage-frame").bounding_box()
    assert box is not None
    took = page.evaluate(
        """async () => {
            const frame = document.querySelector(".lineage-frame"), began = performance.now();
            for (let turn = 0; turn < 20; turn += 1) {
                const deltaY = turn % 2 ? 120 : -120;
                frame.dispatchEvent(new WheelEvent("wheel", { deltaY, clientX: 400, clientY: 400 }));
                await new Promise(requestAnimationFrame);
            }
            return (performance.now() - began) / 20;
        }"""
    )
    assert took < 150, f"{took:.0f} ms a turn of the wheel"
    boxes = page.locator("lineage-graph .lineage-box")
    spots = boxes.evaluate_all("all => all.map((box) => box.getAttribute('transform'))")
    assert len(set(spots)) == 240, "no two boxes lie on each other"


def test_runs_are_chosen_in_the_list_and_compared(page: Page, stack: Stack, world: World) -> None:
    page.goto(f"{stack.access['url']}/p/{world.project}/jobs/?kind=datasets.import")
    for number in range(2):
        page.locator("input[name=ids]").nth(number).check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(re.compile(r"/compare/\?ids=.*&ids="))
    assert "csrf" not in page.url
    expect(page.locator("main")).to_contain_text("differs")
    page.get_by_role("link", name=re.compile("^Take .* out$")).first.click()
    expect(page.locator("main")).to_contain_text("Another run")
