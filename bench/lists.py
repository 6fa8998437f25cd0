"""Every list page and API list with 100,000 jobs, 10,000 models and 100,000 rows of data: first, middle and last pages,
each order, each filter, searches with many, few and no results.

Target: at most 150 ms at the 95th percentile for every list, measured through the whole application (session, rights,
template), without the network. `make bench B=lists`; LISTS_SCALE=0.1 scales it down for a look.
"""

import base64
import html
import os
import re
import time
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from bench.database import migrated
from bench.measures import summary

SCALE = float(os.environ.get("LISTS_SCALE", "1"))
JOBS, MODELS, DATA_ROWS, OTHERS = (int(SCALE * rows) for rows in (100_000, 10_000, 100_000, 5_000))
TIMES = 7
"""Requests of one address, after one that is not counted."""
TARGET_MS = 150.0
SEARCHES = {"many": "harbour", "few": "lantern 4242", "none": "zzzzz"}
API_LAST = base64.b64encode(b"r=1").decode()
"""The cursor of DRF that begins at the end."""


def run(folder: Path) -> dict[str, Any]:
    with migrated(folder):
        return measure(folder)


def measure(folder: Path) -> dict[str, Any]:
    from apps.core.readiness import settle

    house, rows_page = populate(folder)
    settle()  # as the web process does at its start
    figures: dict[str, Any] = {}
    slow: list[str] = []
    client, api = house.client("owner"), house.api("owner")
    for name, addresses, asks in chain(pages(house, client), apis(api), [("datasets:version_rows", rows_page, client)]):
        every: list[float] = []
        worst = ("", 0.0)
        for address in addresses:
            times = timed(asks, address)
            every += times
            worst = max(worst, (address, summary(times)["p50"]), key=lambda entry: entry[1])
        figures[name] = summary(every) | {"addresses": len(addresses), "slowest": worst[0], "slowest_p50": worst[1]}
        slow += [name] if figures[name]["p95"] > TARGET_MS else []
        p50, p95 = figures[name]["p50"], figures[name]["p95"]
        print(f"{name:32} p50 {p50:7.1f}  p95 {p95:7.1f}  slowest {worst[1]:7.1f} {worst[0]}", flush=True)
    return {"unit": "ms", "lists": figures, "slow": slow, "target_ms": TARGET_MS, "passed": not slow}


def populate(folder: Path) -> tuple[Any, list[str]]:
    """A house full of rows, and the addresses of a data set's rows."""
    from django.db import connection
    from django.urls import reverse

    from apps.gpucloud.models import Job
    from apps.lms.models import Model, ModelVersion
    from tests.crowd import Crowd
    from tests.datasets.making import make_version
    from tests.factories import make_house

    began = time.monotonic()
    house = make_house()
    crowd = Crowd(house.project, house.owner)
    crowd.made[Job] = []  # what points at jobs does not need 100,000 of its own
    crowd.rows(ModelVersion, MODELS)
    crowd.rows(Model, MODELS)
    crowd.made.pop(Job)
    crowd.rows(Job, JOBS)
    crowd.fill(OTHERS)
    data = [{"instruction": f"What is {n} plus {n}?", "output": f"It is {2 * n}."} for n in range(DATA_ROWS)]
    version = make_version(house, folder, "sums", data)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    print(f"filled in {time.monotonic() - began:.0f} s; not filled: {sorted(crowd.refused)}")
    rows = reverse("datasets:version_rows", args=[house.project.slug, version.pk])
    return house, [rows, f"{rows}?from={DATA_ROWS // 2}", f"{rows}?from={DATA_ROWS - 10}"]


def pages(house: Any, client: Any) -> Iterator[tuple[str, list[str], Any]]:
    from django.urls import reverse

    import_module("aifs.urls")
    from apps.core import lists

    for spec in lists.all_lists():
        url = reverse(spec.url_name, args=[house.project.slug])
        asked = [url, f"{url}?before=last"]
        for column in spec.columns:
            if column.order:
                asked += [
                    f"{url}?sort={column.name}",
                    f"{url}?sort=-{column.name}",
                    f"{url}?sort={column.name}&before=last",
                ]
                asked.append(middle(client, f"{url}?sort={column.name}"))
        for choice in spec.filters:
            asked += [f"{url}?{choice.name}={value}" for value, _label in choice.options()[:12]]
        if spec.search:
            asked += [f"{url}?q={words}" for words in SEARCHES.values()]
        yield spec.url_name, asked, client


def middle(client: Any, url: str) -> str:
    """The fifth page."""
    shown = url
    for _turn in range(4):
        after = re.search(r'rel="next" href="([^"]+)"', client.get(shown).content.decode())
        if not after:
            break
        shown = url.partition("?")[0] + html.unescape(after[1])
    return shown


def apis(client: Any) -> Iterator[tuple[str, list[str], Any]]:
    from aifs import urls

    for prefix, viewset, _base in urls.api().registry:
        if not hasattr(viewset, "list"):
            continue
        url = f"/api/v1/{prefix}/"
        asked = [url, f"{url}?limit=200", f"{url}?cursor={API_LAST}"]
        asked += [
            f"{url}?ordering={sign}{field}" for field in getattr(viewset, "ordering_fields", ()) for sign in ("", "-")
        ]
        filters = set(getattr(viewset, "filterset_fields", None) or ())
        asked += [f"{url}?{name}=nothing-{name}" for name in filters & {"name", "kind", "action", "suite"}]
        yield prefix, asked, client


def timed(client: Any, address: str) -> list[float]:
    """Milliseconds of TIMES requests."""
    answer = client.get(address)
    assert answer.status_code in (200, 400), f"{address}: {answer.status_code}"
    times = []
    for _time in range(TIMES):
        began = time.perf_counter()
        client.get(address)
        times.append((time.perf_counter() - began) * 1000)
    return times
