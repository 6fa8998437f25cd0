"""What `scripts/screenshots.py` knows of the pages, and that it takes a picture."""

from pathlib import Path

from playwright.sync_api import Browser

from aifs.source_map import urls
from scripts.screenshots import DARK, DOCS, Camera, Scene
from tests.browser.crawl import FORMS_MAKE, NO_PAGES, SIGNED_OUT, pages_of_the_map
from tests.browser.seed import World
from tests.stack.stacks import Stack


def test_every_page_it_names_is_in_the_map() -> None:
    """A page that was renamed or taken away leaves no name behind."""
    known = set(urls())
    assert set(NO_PAGES) | FORMS_MAKE | set(SIGNED_OUT) | set(DARK) <= known
    assert {name for _language, name in DOCS.values() if ":" in name} <= pages_of_the_map()
    assert not {"datasets:dataset_delete", "lms:playground_ask", "schema"} & pages_of_the_map()
    assert urls()["gpucloud:job_cancel"].is_deed and not urls()["gpucloud:job_detail"].is_deed


def test_it_takes_pictures_and_says_what_is_wrong(
    stack: Stack, world: World, browser: Browser, signed_in: str, tmp_path: Path
) -> None:
    camera = Camera(browser, stack.access["url"], tmp_path, "")
    scene = Scene("core:dashboard", f"/p/{world.project}/")
    camera.take(camera.context("en", signed_in), "en", [scene, Scene("gone", "/p/nowhere/")])
    taken = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")}
    assert taken == {f"en-{size}/{name}.png" for size in ("desk", "phone") for name in ("core-dashboard", "gone")}
    assert [line.partition(":")[0] for line in camera.wrong] == ["en-desk gone"], "a page that is not there"
