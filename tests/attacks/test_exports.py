"""What people take away and open in a spreadsheet runs nothing there."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from apps.core.lists import all_lists
from apps.core.models import Artefact, AuditEvent, Project, User
from apps.datasets.models import Dataset
from apps.gpucloud.models import Job, Node
from apps.lms.models import Deployment, Model
from apps.prompts.models import Prompt, PromptService
from tests.attacks.furnished import furnish
from tests.attacks.test_matrix import routes
from tests.datasets.making import make_version
from tests.factories import make_house

pytestmark = pytest.mark.django_db
FORMULAS = [
    "=HYPERLINK(\"http://evil.example\")", "+1+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(1+9)", "\t=1+1",
    "\r=1+1", "  =1+1", "=cmd|'/C calc'!'A1'", "\u00a0=1+1", "\n=1+1",
]  # fmt: skip
EXPORTS = {"datasets:version_export", "dataset-version-export"}
RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r")
NAMED = (User, Project, Artefact, Dataset, Job, Node, Deployment, Model, Prompt, PromptService)


def body(answer: Any) -> bytes:
    """All of an answer. Streams of ours are asynchronous, and ask the database in the thread of the test."""

    async def read() -> bytes:
        return b"".join([part async for part in answer.streaming_content])

    if not answer.streaming:
        return answer.content
    return async_to_sync(read)() if answer.is_async else b"".join(answer.streaming_content)


def cells_of(answer: Any) -> list[str]:
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/csv")
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    text = body(answer).decode("utf-8-sig")
    return [cell for row in csv.reader(io.StringIO(text)) for cell in row]


def formulas_in(cells: list[str]) -> int:
    """How many cells hold a formula as text; none may be one that runs."""
    for cell in cells:
        assert not cell.lstrip().startswith(RUN_BY_SPREADSHEETS), cell
        assert not cell.startswith(RUN_BY_SPREADSHEETS), cell
    return sum(cell.strip("\u00a0 \n\t\r'").startswith(("=", "+", "-", "@")) for cell in cells)


def test_every_export_is_named_here() -> None:
    found = {name for name, _view, _names in routes() if "export" in name or "csv" in name}
    assert found == EXPORTS


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_no_cell_of_an_export_is_a_formula(tmp_path: Path, name: str) -> None:
    house = make_house()
    rows: list[Any] = [{"text": text, "=evil": text} for text in FORMULAS]
    version = make_version(house, tmp_path, rows=rows)
    page = reverse(name, args=[version.pk] if "-" in name else [house.project.slug, version.pk])
    cells = cells_of((house.api() if "-" in name else house.client()).get(page, {"format": "csv"}))
    assert formulas_in(cells) >= len(FORMULAS), cells


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_of_a_list_is_a_formula(formula: str) -> None:
    """Whatever has a name, and everybody, is called like one, as if every form had let it through."""
    place = furnish()
    for model in NAMED:
        model.objects.update(name=formula)
    AuditEvent.objects.update(object_name=formula)
    seen = set()
    for one in all_lists():
        answer = place.house.client().get(reverse(one.url_name, args=[place.house.project.slug]), {"format": "csv"})
        if formulas_in(cells_of(answer)):
            seen.add(one.url_name)
    assert len(seen) >= 8, seen


def test_the_audit_of_the_admin_holds_no_formula(admin_client: Client) -> None:
    furnish()
    AuditEvent.objects.update(object_name=FORMULAS[0])
    chosen = [str(pk) for pk in AuditEvent.objects.values_list("pk", flat=True)]
    answer = admin_client.post(
        reverse("admin:core_auditevent_changelist"), {"action": "as_csv", ACTION_CHECKBOX_NAME: chosen}
    )
    assert formulas_in(cells_of(answer)) >= len(chosen)
