"""Who comes to a route, and the table of what each was answered: var/test/matrix.json after a run."""

import contextlib
import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction
from django.test import Client
from django.utils import timezone

from apps.core import key_changes
from apps.core.access import ROLE_RIGHTS
from apps.core.models import ApiKey, Role
from tests.factories import House, bearer, make_key, make_project
from tests.servers import ROOT

ROLES = tuple(Role.values)
UNKNOWN = ("anonymous", "expired key", "revoked key")
OUTSIDE = ("stranger", "key of another project")
LESSER = ("key to label", "key to view")
"""An owner's keys with one right each: less than the owner may do."""
ACTORS = (*ROLES, *OUTSIDE, *UNKNOWN, *LESSER)
RESULTS = Path(os.environ.get("AIFS_RESULTS") or ROOT / "var") / "test" / "matrix.json"


def rights_of(actor: str) -> frozenset[str]:
    """What the actor may do in the house's project."""
    if actor in ROLES:
        return ROLE_RIGHTS[actor]
    return frozenset({actor.removeprefix("key to ")}) if actor in LESSER else frozenset()


def key_of(house: House, actor: str) -> str:
    """An API key in plain, made when first asked for; empty for nobody."""
    if actor in ROLES or actor == "stranger":
        return house.key(actor)
    if actor not in house.keys:
        house.keys[actor] = _make_key(house, actor)
    return house.keys[actor]


def _make_key(house: House, actor: str) -> str:
    if actor == "anonymous":
        return ""
    if actor == "key of another project":
        return make_key(house.owner, make_project(f"{house.project.slug}-second", house.owner))
    if actor in LESSER:
        return make_key(house.owner, house.project, [actor.removeprefix("key to ")])
    plain = make_key(house.owner, house.project)
    column = "expires_at" if actor == "expired key" else "revoked_at"
    ApiKey.objects.filter(prefix=plain.split("_")[1]).update(**{column: timezone.now()})
    key_changes.announce()
    return plain


def program(house: House, actor: str) -> Client:
    key = key_of(house, actor)
    return Client(headers=bearer(key) if key else {}, raise_request_exception=False)


def browser(house: House, actor: str) -> Client:
    """People are signed in; whoever has only a key finds out that pages take none."""
    client = house.client(actor) if actor in ROLES or actor == "stranger" else program(house, actor)
    client.raise_request_exception = False
    return client


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Whatever a request changes, the next one finds as it was."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@dataclass
class Table:
    """Counts of answers, merged into one file by every process of a test run."""

    cells: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    routes: set[str] = field(default_factory=set)

    def note(self, kind: str, route: str, actor: str, answer: int) -> int:
        self.cells[kind, actor, answer] += 1
        self.routes.add(f"{kind} {route}")
        return answer

    def write(self, run: str) -> None:
        """run: an id of this test run; a file of an earlier one is replaced."""
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        with RESULTS.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            before = json.loads(file.read() or "{}")
            rows = before.get("rows", []) if before.get("run") == run else []
            routes = set(before.get("routes", [])) if before.get("run") == run else set()
            total: Counter[tuple[str, str, int]] = Counter({(k, actor, code): n for k, actor, code, n in rows})
            total.update(self.cells)
            file.truncate(0)
            file.write(json.dumps(_summary(run, total, routes | self.routes), indent=1))


def _summary(run: str, cells: Counter[tuple[str, str, int]], routes: set[str]) -> dict[str, Any]:
    by_answer: Counter[str] = Counter()
    by_actor: dict[str, Counter[str]] = {}
    for (_kind, actor, answer), count in cells.items():
        by_answer[str(answer)] += count
        by_actor.setdefault(actor, Counter())[str(answer)] += count
    return {
        "run": run,
        "cells": sum(cells.values()),
        "by_answer": dict(sorted(by_answer.items())),
        "by_actor": {actor: dict(sorted(by_actor[actor].items())) for actor in sorted(by_actor)},
        "routes": sorted(routes),
        "rows": [[*cell, count] for cell, count in sorted(cells.items())],
    }
