"""Every page there is, found by following links as a reader does."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.urls import Resolver404, resolve
from playwright.sync_api import Page

from aifs.source_map import urls
from tests.browser.seed import World
from tests.stack.stacks import Stack

NO_PAGES = {
    "account_email": "leads to the profile",
    "account_email_verification_sent": "addresses are not confirmed by mail",
    "account_confirm_email": "addresses are not confirmed by mail",
    "account_confirm_login_code": "only while a code is awaited",
    "account_set_password": "only for accounts without one",
    "account_reset_password_from_key": "only with the link of a mail",
    "account_reauthenticate": "leads on while the password was given just now",
    "core:member_search": "data for mentions",
    "core:notification_open": "leads to what it is about",
    "core:notification_unread": "a number for the bell",
    "core:palette": "data of the palette",
    "core:search": "data of the palette",
    "core:shared_detail": "only with a second project; tests/browser/test_sharing.py looks at it",
    "datasets:version_export": "a file",
    "gpucloud:cluster": "a part of the list of nodes",
    "gpucloud:job_log": "a file",
    "gpucloud:job_samples": "a part of the page of a run",
    "health_live": "for machines",
    "health_ready": "for machines",
    "home": "leads to a project",
    "lms:playground_ask": "a stream",
    "mfa_activate_totp": "asks for the password; tests/browser/test_two_factor.py looks at it and at those below",
    "mfa_authenticate": "only between password and code",
    "mfa_deactivate_totp": "only with a second factor",
    "mfa_download_recovery_codes": "a file",
    "mfa_generate_recovery_codes": "only with a second factor",
    "mfa_reauthenticate": "only with a second factor",
    "mfa_view_recovery_codes": "only with a second factor",
    "prompts:service_ask": "a stream",
    "schema": "for machines",
    "set_language": "answers POST alone",
}
ELSEWHERE = ("admin/", "api/v1/", "internal/")
"""Not pages of the frame."""
SIGNED_OUT = {
    "account_login": "/account/login/",
    "account_signup": "/account/signup/",
    "account_inactive": "/account/inactive/",
    "account_reset_password": "/account/password/reset/",
    "account_reset_password_done": "/account/password/reset/done/",
    "account_reset_password_from_key_done": "/account/password/reset/key/done/",
}
FORMS_MAKE = {"core:invitation_open", "core:webhook_detail"}
"""Pages of what only a filled form makes."""


def pages_of_the_map() -> set[str]:
    """Names of all routes that a browser opens with GET."""
    named = [url for url in urls().values() if not url.route.startswith(ELSEWHERE)]
    return {url.name for url in named if not url.is_deed} - set(NO_PAGES)


def view_name(path: str) -> str:
    try:
        match = resolve(path)
    except Resolver404:
        return ""
    return match.view_name + (f" ({match.kwargs['type']})" if "type" in match.kwargs else "")


def links(page: Page) -> Iterator[str]:
    """Addresses inside the application that the page links to, downloads left out."""
    read = "all => all.map((a) => new URL(a.getAttribute('href'), location).href)"  # an SVG's a.href is no text
    for href in page.eval_on_selector_all("a[href]:not([download])", read):
        parts = urlsplit(href)
        if parts.netloc == urlsplit(page.url).netloc and not parts.path.startswith(("/admin/", "/api/", "/static/")):
            yield parts.path + (f"?{parts.query}" if parts.query else "")


def crawl(page: Page, stack: Stack, world: World) -> dict[str, str]:
    """One address of every kind of page: {view name: path}. What only some things have comes first, and pages to which
    no link leads."""
    place, found = f"/p/{world.project}", dict[str, str]()
    versions = "/api/v1/dataset-versions/?name={}&number={}".format
    first, cleaned = (stack.get(versions(world.dataset, number))["results"][0]["id"] for number in (1, 2))
    ended = [row["id"] for row in stack.get("/api/v1/jobs/?state=succeeded")["results"]]
    runs = [row["id"] for row in stack.get("/api/v1/jobs/?state=succeeded&kind=lmt.sft")["results"]]
    queue = [f"{place}/", f"{place}/data/{first}/quarantine/", f"{place}/data/{cleaned}/dropped/"]
    queue += [f"{place}/shares/dataset_version/{first}/"]  # its link is replaced a moment after the page has come
    queue += [f"{place}/tune/{runs[0]}/", f"{place}/models/m/{world.tuned}/"]
    queue += [f"{place}/jobs/compare/?" + "&".join(f"ids={job}" for job in [*runs, *ended][:3])]
    queue += ["/account/profile/", "/notifications/", "/account/password/change/", "/account/logout/", "/api/docs/"]
    queue += [f"{place}/jobs/new/gpucloud.check/", "/projects/new/"]
    while queue:
        path = queue.pop(0)
        name = view_name(urlsplit(path).path)
        if not name or name in found or name.partition(" ")[0] in NO_PAGES:
            continue
        page.goto(stack.access["url"] + path)
        found[name] = path
        queue += list(dict.fromkeys(links(page)))
    return found
