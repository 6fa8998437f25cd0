"""The first page of a project: the picture ticks itself, and what comes next is one click away."""

from dataclasses import replace

import pytest
from django.test import Client

from apps.core import dashboard
from apps.core.models import Project
from tests.factories import make_artefact, make_house

pytestmark = pytest.mark.django_db

FIRST = dashboard.Stage(
    name="first", label="Heaps", todo="Bring a heap", text="Something to work with.", icon="database", order=10,
    list_url="core:artefact_list", start_url="core:settings_project", right="run_simple", kinds=("heaps.bring",),
    count=lambda project: project.artefacts.count(),
)  # fmt: skip


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> dict[str, dashboard.Stage]:
    """Two stages of our own in place of the apps'."""
    own: dict[str, dashboard.Stage] = {}
    monkeypatch.setattr(dashboard, "_stages", own)
    monkeypatch.setattr(dashboard, "_activity", [])
    dashboard.register_stage(replace(FIRST, name="second", label="Piles", todo="Make a pile", order=20, right="deploy"))
    dashboard.register_stage(FIRST)
    return own


def open_page(client: Client, project: Project, **headers: str) -> str:
    answer = client.get(f"/p/{project.slug}/", headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def test_stages_stand_in_order_with_what_comes_next(stages: object) -> None:
    house = make_house()
    page = open_page(house.client("engineer"), house.project)
    assert page.index("Heaps") < page.index("Piles")
    assert 'aria-current="step"' in page
    assert f'href="/p/{house.project.slug}/settings/"' in page


def test_who_may_not_begin_gets_no_button(stages: object) -> None:
    house = make_house()
    shown = {line["stage"].name: line for line in dashboard.stages(house.actor("expert"), house.project)}
    assert shown["first"]["start_url"]
    assert not shown["second"]["start_url"]
    assert shown["first"]["next"]
    assert not shown["second"]["next"]


def test_activity_counts_what_runs_and_what_failed(stages: object) -> None:
    house = make_house()
    dashboard.register_activity(lambda project: {"heaps.bring": {"running": 2, "queued": 1, "failed": 4}})
    first = dashboard.stages(house.actor("owner"), house.project)[0]
    assert (first["running"], first["failed"]) == (3, 4)
    assert "3 running" in open_page(house.client("owner"), house.project)


def test_htmx_gets_the_picture_alone(stages: object) -> None:
    house = make_house()
    part = open_page(house.client("viewer"), house.project, **{"HX-Request": "true"})
    assert "Heaps" in part
    assert "<html" not in part


def test_every_registered_stage_can_be_drawn() -> None:
    house = make_house()
    for line in dashboard.stages(house.actor("owner"), house.project):
        assert line["url"].startswith(f"/p/{house.project.slug}/")
        assert line["count"] == 0
        assert house.client("owner").get(line["url"]).status_code == 200


def test_signed_out(stages: object) -> None:
    house = make_house()
    answer = house.client(None).get(f"/p/{house.project.slug}/")
    assert answer.status_code == 302
    assert answer.url.startswith("/account/login/")


def test_a_stranger_gets_404(stages: object) -> None:
    house = make_house()
    assert house.client("stranger").get(f"/p/{house.project.slug}/").status_code == 404


def test_a_stage_is_registered_once(stages: object) -> None:
    with pytest.raises(ValueError, match="twice"):
        dashboard.register_stage(FIRST)


def test_what_was_used_this_month_stands_there_once_there_is_something() -> None:
    house = make_house()
    assert "This month" not in open_page(house.client("viewer"), house.project)
    make_artefact(house.project, "sums", type="dataset_version")
    page = house.client("viewer").get(f"/p/{house.project.slug}/")
    labels = [str(figure.label) for figure in page.context["month"]["figures"]]
    assert labels == ["Jobs done", "Core hours", "Accelerator hours", "Calls", "Tokens"]
    assert page.context["month"]["since"].day == 1


def test_the_newest_things_are_linked() -> None:
    house = make_house()
    made = [make_artefact(house.project, f"thing {number}", type="unregistered") for number in range(8)]
    make_artefact(house.other_project, "foreign")
    rows = dashboard.lately(house.actor("viewer"), house.project)["rows"]
    assert [row["artefact"].pk for row in rows] == [row.pk for row in reversed(made[3:])]
    assert all(house.client("viewer").get(row["url"]).status_code == 200 for row in rows)
