"""From any artefact: what it came from, and what was made of it. Page and `/api/v1/lineage/`."""

import pytest
from django.urls import reverse

from apps.core import artefact_types, lineage
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
    monkeypatch.setattr(lineage, "LIMIT", 3)
    found = ask(house, line["source"]).json()
    assert found["truncated"] is True
    assert len(found["nodes"]) <= 3


def test_the_number_of_queries_grows_with_depth_not_width(house, line, django_assert_max_num_queries):
    for number in range(50):
        make_artefact(house.project, f"wide-{number}", parents={"dataset": line["source"]})
    with django_assert_max_num_queries(15):
        lineage.lineage(house.actor("viewer"), "thing", line["source"].pk)


def test_columns_go_from_sources_to_products(house, line):
    found = lineage.lineage(house.actor("viewer"), "plan", line["model"].pk)
    at = {node.name: node.column for node in found.nodes}
    assert at == {"source": 0, "clean": 1, "model": 2, "answer": 3}
    late = make_artefact(house.project, "late source")
    make_artefact(house.project, "late", parents={"a": line["answer"], "b": late})
    found = lineage.lineage(house.actor("viewer"), "thing", late.pk, "down")
    assert [node.column for node in sorted(found.nodes, key=lambda node: node.name)] == [1, 0]
    whole = lineage.lineage(house.actor("viewer"), "thing", line["source"].pk)
    assert "late source" not in {node.name for node in whole.nodes}, "what else a product came from is not asked for"


def test_the_page_says_the_same_as_a_list(house, line):
    url = reverse("core:lineage_detail", args=[house.project.slug, "plan", line["model"].pk])
    answer = house.client("viewer").get(url)
    assert all(name in answer.content.decode() for name in ("source", "clean", "model", "answer"))
    assert [row["node"].name for row in answer.context["rows"]] == ["source", "clean", "model", "answer"]
    rows = {row["node"].name: row for row in answer.context["rows"]}
    assert {parent.name for parent in rows["answer"]["parents"]} == {"model", "source"}


def test_direction_and_depth_narrow_the_page(house, line):
    url = reverse("core:lineage_detail", args=[house.project.slug, "plan", line["model"].pk])

    def shown(**asked):
        return {row["node"].name for row in house.client("viewer").get(url, asked).context["rows"]}

    assert shown(direction="up") == {"source", "clean", "model"}
    assert shown(direction="up", depth="1") == {"clean", "model"}
    assert shown(depth="1") == {"clean", "model", "answer"}
    assert shown(direction="sideways", depth="-7") == {"source", "clean", "model", "answer"}
    api = reverse("lineage", args=["plan", line["model"].pk])
    assert names(house.api("viewer").get(api, {"depth": "1"}).json()) == {"clean", "model", "answer"}
    for wrong in ("0", "-1", "x", "1000"):
        assert house.api("viewer").get(api, {"depth": wrong}).status_code == 400


def test_dead_ends_are_marked(house, line):
    marks = {node["name"]: node["dead_end"] for node in ask(house, line["source"]).json()["nodes"]}
    assert marks == {"source": False, "clean": False, "model": False, "sister": True, "answer": True}
    up = {node["name"]: node["dead_end"] for node in ask(house, line["model"], "up").json()["nodes"]}
    assert up["model"] is False, "what was made of it is not shown, but is there"


@pytest.mark.parametrize(("part", "status"), [("stranger", 404), (None, 302)])
def test_others_may_not_open_the_page(house, line, part, status):
    url = reverse("core:lineage_detail", args=[house.project.slug, "plan", line["model"].pk])
    assert house.client(part).get(url).status_code == status


def test_the_list_shows_the_newest_first(house, line):
    url = reverse("core:artefact_list", args=[house.project.slug])
    answer = house.client("viewer").get(url)
    assert answer.context["rows"][0]["artefact"].name == "answer"
    assert len(house.client("viewer").get(url, {"q": "answer"}).context["rows"]) == 1
