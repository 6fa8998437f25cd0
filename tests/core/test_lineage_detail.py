"""From any artefact: what it came from, and what was made of it. Page and `/api/v1/lineage/`."""

import pytest
from django.urls import reverse

from apps.core import artefact_types, selectors
from apps.core.graph import layered
from apps.core.ids import uuid7
from tests.factories import make_artefact, make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


@pytest.fixture
def line(house):
    """source → clean → model → answer, and a sister of the model that answer does not come from."""
    made = {"source": make_artefact(house.project, "source")}
    made["clean"] = make_artefact(house.project, "clean", parents={"dataset": made["source"]})
    made["model"] = make_artefact(house.project, "model", "plan", parents={"dataset": made["clean"]})
    made["sister"] = make_artefact(house.project, "sister", "plan", parents={"dataset": made["clean"]})
    made["answer"] = make_artefact(
        house.project, "answer", "verdict", parents={"model": made["model"], "benchmark": made["source"]}
    )
    return made


def names(found):
    return {node["name"] for node in found["nodes"]}


def ask(house, artefact, direction=None, part="viewer"):
    url = reverse("lineage", args=[artefact.type, artefact.pk])
    return house.api(part).get(url, {"direction": direction} if direction else {})


def test_up_and_down_and_both(house, line):
    assert names(ask(house, line["model"], "up").json()) == {"source", "clean", "model"}
    assert names(ask(house, line["model"], "down").json()) == {"model", "answer"}
    assert names(ask(house, line["model"]).json()) == {"source", "clean", "model", "answer"}


def test_edges_name_the_input(house, line):
    edges = ask(house, line["answer"], "up").json()["edges"]
    roles = {(edge["parent"], edge["role"]) for edge in edges if edge["child"] == str(line["answer"].pk)}
    assert roles == {(str(line["model"].pk), "model"), (str(line["source"].pk), "benchmark")}


def test_the_jobs_in_between_are_told(house, line, monkeypatch):
    job = uuid7()
    made = make_artefact(house.project, "by a job", job_id=job, parents={"dataset": line["source"]})

    def describe(ids):
        assert set(ids) == {job}
        return {job: {"name": "nightly", "kind": "x.y", "state": "succeeded", "url": "/somewhere/"}}

    monkeypatch.setattr(artefact_types, "_describe_jobs", [describe])
    found = ask(house, made, "up").json()
    assert found["jobs"] == [
        {"id": str(job), "name": "nightly", "kind": "x.y", "state": "succeeded", "url": "/somewhere/"}
    ]
    assert [edge["job"] for edge in found["edges"]] == [str(job)]
    page = house.client("viewer").get(reverse("core:lineage_detail", args=[house.project.slug, "thing", made.pk]))
    assert "nightly" in page.content.decode()


def test_other_projects_end_the_walk(house, line):
    theirs = make_artefact(house.other_project, "theirs", parents={"dataset": line["source"]})
    found = ask(house, line["source"]).json()
    assert "theirs" not in names(found)
    assert str(theirs.pk) not in str(found)


def test_strangers_and_wrong_types_find_nothing(house, line):
    assert ask(house, line["source"], part="stranger").status_code == 404
    assert house.api("viewer").get(reverse("lineage", args=["plan", line["source"].pk])).status_code == 404
    assert house.client(None).get(reverse("lineage", args=["x", line["source"].pk])).status_code == 401


def test_bad_directions_and_filters_are_refused(house, line):
    assert ask(house, line["source"], "sideways").status_code == 400
    url = reverse("lineage", args=["thing", line["source"].pk])
    assert house.api("viewer").get(url, {"project__team": "1"}).status_code == 400


def test_a_large_graph_is_cut_and_says_so(house, line, monkeypatch):
    monkeypatch.setattr(selectors, "LINEAGE_LIMIT", 3)
    found = ask(house, line["source"]).json()
    assert found["truncated"] is True
    assert len(found["nodes"]) <= 3


def test_the_number_of_queries_grows_with_depth_not_width(house, line, django_assert_max_num_queries):
    for number in range(50):
        make_artefact(house.project, f"wide-{number}", parents={"dataset": line["source"]})
    with django_assert_max_num_queries(15):
        selectors.lineage(house.actor("viewer"), "thing", line["source"].pk)


def test_the_page_draws_columns_from_sources_to_products(house, line):
    graph = layered(selectors.lineage(house.actor("viewer"), "plan", line["model"].pk))
    at = {box.artefact.name: box.x for box in graph["boxes"]}
    assert at["source"] < at["clean"] < at["model"] < at["answer"]
    url = reverse("core:lineage_detail", args=[house.project.slug, "plan", line["model"].pk])
    html = house.client("viewer").get(url).content.decode()
    assert all(name in html for name in at)


@pytest.mark.parametrize(("part", "status"), [("stranger", 404), (None, 302)])
def test_others_may_not_open_the_page(house, line, part, status):
    url = reverse("core:lineage_detail", args=[house.project.slug, "plan", line["model"].pk])
    assert house.client(part).get(url).status_code == status


def test_the_list_shows_the_newest_first(house, line):
    url = reverse("core:artefact_list", args=[house.project.slug])
    answer = house.client("viewer").get(url)
    assert answer.context["rows"][0]["artefact"].name == "answer"
    assert len(house.client("viewer").get(url, {"type": "verdict"}).context["rows"]) == 1
