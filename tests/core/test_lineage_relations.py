"""Deployments, prompts and services in the graph, and older versions marked: with the real apps, not stand-ins."""

from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.core import lineage
from apps.gpucloud.models import Job, JobInput
from apps.lms import lineage as lms_lineage
from apps.lms.models import Deployment, Feedback, Usage
from apps.lms.services import register_model_version
from apps.prompts.services import create_prompt, create_version, publish_version
from tests.factories import make_artefact, make_house

pytestmark = pytest.mark.django_db
FACTS = {"family": "llama", "format": "safetensors", "parameters": 5}


@pytest.fixture
def house():
    return make_house()


def make_model(house, name="tuned", sha256="a" * 64, **fields):
    output = {"manifest": {"model.safetensors": {"sha256": sha256, "size": 1}}, "meta": FACTS}
    return register_model_version(house.project, name, output, **fields)


@pytest.fixture
def chain(house):
    """data → model → deployment → prompt version → service, and an evaluation of the model."""
    data = make_artefact(house.project, "facts:1", "dataset_version")
    model = make_model(house, parents={"dataset": data})
    deployment = Deployment.objects.create(project=house.project, name="assistant", model_version=model, wanted=False)
    prompt = create_prompt(house.actor("engineer"), house.project, "greet")
    words = [{"role": "user", "content": "Hello {{ name }}"}]
    version = create_version(house.actor("engineer"), prompt, messages=words, deployment=deployment)
    service = publish_version(house.actor("engineer"), version)
    verdict = make_artefact(house.project, "tuned:1 · sums", "evaluation", parents={"model": model.artefact})
    return {
        "data": data,
        "model": model,
        "deployment": deployment,
        "version": version,
        "service": service,
        "verdict": verdict,
    }


def graph(house, type, id, **asked):
    return house.api("viewer").get(reverse("lineage", args=[type, id]), asked).json()


EVERYTHING = {
    ("dataset_version", "facts:1"), ("model_version", "tuned:1"), ("deployment", "assistant"),
    ("prompt_version", "greet:1"), ("prompt_service", "greet"),
}  # fmt: skip


def kinds(found):
    return {(node["type"], node["name"]) for node in found["nodes"]}


def test_from_the_data_to_the_published_service(house, chain):
    found = graph(house, "dataset_version", chain["data"].pk)
    assert kinds(found) == EVERYTHING | {("evaluation", "tuned:1 · sums")}
    roles = {(edge["parent"], edge["child"]): edge["role"] for edge in found["edges"]}
    assert roles[str(chain["model"].pk), str(chain["deployment"].pk)] == "model"
    assert roles[str(chain["deployment"].pk), str(chain["version"].pk)] == "deployment"
    assert roles[str(chain["version"].pk), str(chain["service"].pk)] == "version"
    columns = {node["type"]: node["column"] for node in found["nodes"]}
    assert [
        columns[type] for type in ("dataset_version", "model_version", "deployment", "prompt_version", "prompt_service")
    ] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("type", "key"), [("deployment", "deployment"), ("prompt_service", "service")])
def test_a_row_is_as_good_a_start_as_an_artefact(house, chain, type, key):
    assert kinds(graph(house, type, chain[key].pk)) == EVERYTHING
    page = house.client("viewer").get(reverse("core:lineage_detail", args=[house.project.slug, type, chain[key].pk]))
    assert page.status_code == 200 and "facts:1" in page.content.decode()
    assert house.api("stranger").get(reverse("lineage", args=[type, chain[key].pk])).status_code == 404
    assert house.api("viewer").get(reverse("lineage", args=["evaluation", chain[key].pk])).status_code == 404


def test_states_and_pages_of_rows(house, chain):
    nodes = {node["type"]: node for node in graph(house, "model_version", chain["model"].pk)["nodes"]}
    assert (nodes["deployment"]["state"], nodes["deployment"]["icon"]) == ("stopped", "rocket")
    assert nodes["prompt_service"]["state_label"] == "Published"
    for node in nodes.values():
        assert house.client("viewer").get(node["graph"]).status_code == 200
    for type in ("deployment", "prompt_service", "prompt_version", "model_version"):
        assert house.client("viewer").get(nodes[type]["url"]).status_code == 200


def test_what_stands_on_an_older_version_is_marked(house, chain):
    make_model(house, sha256="a" * 64)
    same = {node["name"]: node["stale"] for node in graph(house, "model_version", chain["model"].pk)["nodes"]}
    assert not any(same.values()), "a newer version that holds the same makes nothing old"
    newest = make_model(house, sha256="b" * 64)
    found = {node["name"]: node for node in graph(house, "model_version", chain["model"].pk)["nodes"]}
    told = {"parent": "tuned:1", "newest": "tuned:3", "id": str(newest.pk)}
    assert found["assistant"]["stale"] == [told] and found["tuned:1 · sums"]["stale"] == [told]
    assert found["tuned:1"]["stale"] == [] and found["greet"]["stale"] == []
    page = house.client("viewer").get(found["assistant"]["graph"]).content.decode()
    assert "tuned:3 is newer than tuned:1" in page


def test_the_next_version_made_from_the_last_is_not_old(house):
    first = make_model(house)
    second = make_model(house, sha256="b" * 64, parents={"model": first.artefact})
    found = {node["name"]: node["stale"] for node in graph(house, "model_version", second.pk)["nodes"]}
    assert found == {"tuned:1": [], "tuned:2": []}


def test_services_are_ends_but_no_dead_ends(house, chain):
    marks = {node["type"]: node["dead_end"] for node in graph(house, "model_version", chain["model"].pk)["nodes"]}
    assert not any(marks.values())
    unused = Deployment.objects.create(project=house.project, name="idle", model_version=chain["model"], wanted=False)
    found = {node["name"]: node for node in graph(house, "deployment", unused.pk)["nodes"]}
    assert found["idle"]["dead_end"] is True


def test_a_job_stands_between_what_it_read_and_what_it_made(house, chain):
    job = Job.objects.create(project=house.project, kind="lmt.sft", name="run", state="succeeded")
    JobInput.objects.create(job=job, name="dataset", artefact=chain["data"])
    made = make_artefact(house.project, "other:1", "model_version", job_id=job.pk, parents={"dataset": chain["data"]})
    found = graph(house, "job", job.pk)
    assert kinds(found) == {("dataset_version", "facts:1"), ("job", "run"), ("model_version", "other:1")}
    assert {edge["role"] for edge in found["edges"] if edge["parent"] == str(chain["data"].pk)} == {"dataset"}
    assert str(job.pk) not in {node["id"] for node in graph(house, "model_version", made.pk)["nodes"]}
    assert house.api("stranger").get(reverse("lineage", args=["job", job.pk])).status_code == 404
    tab = house.client("viewer").get(reverse("gpucloud:job_detail", args=[house.project.slug, job.pk]) + "?tab=lineage")
    assert "other:1" in tab.content.decode() and reverse("lineage", args=["job", job.pk]) in tab.content.decode()


def rate(house, model, deployment, scores):
    for score in scores:
        id = f"chatcmpl-{uuid4().hex}"
        Usage.objects.create(
            response_id=id, project=house.project, deployment=deployment, model=model, at=timezone.now()
        )
        Feedback.objects.create(response_id=id, project=house.project, score=score)


def test_feedback_is_one_node_of_its_deployment(house, chain):
    """A count and a mean of all that was said, not a node for every click; below the service that was asked, too."""
    assistant = chain["deployment"]
    rate(house, "assistant", assistant, [1, 0, 1])
    found = graph(house, "dataset_version", chain["data"].pk)
    node = next(node for node in found["nodes"] if node["type"] == "feedback")
    assert (node["name"], node["state_label"], node["icon"]) == (
        "assistant", "3 ratings, 0.67 on average", "message-square-text",
    )  # fmt: skip
    assert [edge["parent"] for edge in found["edges"] if edge["child"] == node["id"]] == [str(assistant.pk)]
    rate(house, "prompt/greet", assistant, [1])
    found = graph(house, "feedback", node["id"], direction="up")
    assert kinds(found) == EVERYTHING | {("feedback", "assistant")}
    assert {edge["parent"] for edge in found["edges"] if edge["child"] == node["id"]} == {
        str(assistant.pk), str(chain["service"].pk),
    }  # fmt: skip
    down = graph(house, "prompt_service", chain["service"].pk, direction="down")
    assert kinds(down) == {("prompt_service", "greet"), ("feedback", "assistant")}
    columns = {node["type"]: node["column"] for node in found["nodes"]}
    assert columns["feedback"] == columns["prompt_service"] + 1


def test_feedback_has_a_page_for_those_who_see_the_deployment(house, chain):
    rate(house, "assistant", chain["deployment"], [1])
    id = lms_lineage.feedback_id(chain["deployment"].pk)
    address = reverse("core:lineage_detail", args=[house.project.slug, "feedback", id])
    page = house.client("viewer").get(address).content.decode()
    assert "1 rating, 1.0 on average" in page
    assert house.client("stranger").get(address).status_code == 404
    assert house.api("stranger").get(reverse("lineage", args=["feedback", id])).status_code == 404


def test_what_nobody_rated_has_no_feedback(house, chain):
    """Nor do answers of other projects and of other deployments count, nor what names no answer."""
    elsewhere = Deployment.objects.create(project=house.project, name="other", wanted=False)
    rate(house, "other", elsewhere, [1])
    Feedback.objects.create(response_id="chatcmpl-unknown", project=house.project, score=1)
    theirs = f"chatcmpl-{uuid4().hex}"
    Usage.objects.create(
        response_id=theirs, project=house.project, deployment=chain["deployment"], model="assistant", at=timezone.now()
    )
    Feedback.objects.create(response_id=theirs, project=house.other_project, score=1)
    assert "feedback" not in {node["type"] for node in graph(house, "deployment", chain["deployment"].pk)["nodes"]}
    id = lms_lineage.feedback_id(chain["deployment"].pk)
    assert house.api("viewer").get(reverse("lineage", args=["feedback", id])).status_code == 404


def test_a_wide_graph_asks_no_more_questions(house, chain, django_assert_max_num_queries):
    for number in range(60):
        Deployment.objects.create(project=house.project, name=f"d{number}", model_version=chain["model"], wanted=False)
    with django_assert_max_num_queries(60):
        lineage.lineage(house.actor("viewer"), "model_version", chain["model"].pk)


def test_a_type_is_registered_once():
    known = lineage._relations["deployment"]
    with pytest.raises(ValueError, match="twice"):
        lineage.register(known)
