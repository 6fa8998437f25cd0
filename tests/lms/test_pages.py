"""Pages of the model store, evaluations, deployments and the playground: works · not allowed · stranger · bad input."""

import ast
import json
import shlex
from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from aifs.sdk import cli
from aifs.sdk.cli.arguments import pairs
from apps.core.models import Artefact
from apps.core.services import create_upload_from_file
from apps.gpucloud import details as gpucloud
from apps.gpucloud.models import Job, JobState
from apps.lms import details
from apps.lms.models import Deployment, Evaluation, Model, ModelVersion
from apps.lms.services import register_evaluation, register_model_version
from tests.factories import House, make_artefact
from tests.lms.serving import make_version


def url(house: House, name: str, *args: Any) -> str:
    return reverse(f"lms:{name}", args=[house.project.slug, *args])


def make_evaluation(house: House, version: ModelVersion, mean: float = 0.5, suite: str = "mmlu") -> Evaluation:
    job = Job.objects.create(project=house.project, kind="lms.evaluate", state=JobState.SUCCEEDED)
    job.inputs.create(name="model", artefact=version.artefact)
    scores = {"law": {"acc": mean, "acc_stderr": 0.01, "n": 40}, "physics": {"acc": mean, "acc_stderr": 0.2, "n": 40}}
    answers = [{"prompt": "Who are you?", "answer": "A <b>model</b>"}]
    result = {"suite": suite, "scores": scores, "mean": mean, "loss": 1.25, "answers": answers}
    return register_evaluation(job, {"manifest": {}}, result)


@pytest.fixture
def version(house: House) -> ModelVersion:
    base = make_version(house.project, "base")
    tuned = make_version(
        house.project, "tuned", base=base, parameters=135_000_000, card="# Hi <script>alert(1)</script>"
    )
    make_evaluation(house, base, 0.4)
    make_evaluation(house, tuned, 0.6)
    Deployment.objects.create(project=house.project, name="helper", model_version=tuned)
    return tuned


PAGES = [
    ("model_list", ()), ("model_import", ()), ("model_detail", ("tuned",)), ("version_detail", ("tuned", 1)),
    ("evaluation_list", ()), ("evaluation_create", ()), ("deployment_list", ()), ("deployment_create", ()),
    ("deployment_connect", ()), ("deployment_detail", ("helper",)), ("playground", ()),
]  # fmt: skip
RIGHTS = {
    "model_import": "expert",
    "evaluation_create": "expert",
    "deployment_create": "engineer",
    "deployment_connect": "engineer",
}


@pytest.mark.parametrize(("name", "args"), PAGES)
def test_pages_open_for_members_and_only_them(house: House, version: ModelVersion, name: str, args: Any) -> None:
    address = url(house, name, *args)
    assert house.client("owner").get(address).status_code == 200
    assert house.client("stranger").get(address).status_code == 404
    assert house.client(None).get(address).status_code == 302
    lowest = RIGHTS.get(name)
    assert house.client("viewer").get(address).status_code == (403 if lowest else 200)
    if lowest:
        assert house.client(lowest).get(address).status_code == 200


@pytest.mark.parametrize("name", ["model_list", "evaluation_list", "deployment_list", "playground"])
def test_empty_lists_say_what_to_do(house: House, name: str) -> None:
    assert 'class="empty"' in house.client().get(url(house, name)).content.decode()


def test_model_page_shows_origin_quality_and_where_it_runs(house: House, version: ModelVersion) -> None:
    page = house.client().get(url(house, "model_detail", "tuned")).content.decode()
    assert "135M" in page
    assert "Better than base:1?" in page
    assert "40.0 %" in page
    assert "60.0 %" in page
    assert "helper" in page
    assert "<script>alert" not in page


def test_model_can_be_described_and_deleted(house: House, version: ModelVersion) -> None:
    client = house.client("expert")
    client.post(url(house, "model_edit", "base"), {"description": "The base", "licence": "MIT"})
    assert Model.objects.get(name="base").licence == "MIT"
    client.post(url(house, "version_card", "base", 1), {"card": "**good**"})
    assert "<strong>good</strong>" in client.get(url(house, "model_detail", "base")).content.decode()
    assert client.post(url(house, "model_delete", "base")).status_code == 403
    owner = house.client()
    owner.post(url(house, "model_delete", "tuned"))
    assert Model.objects.filter(name="tuned").exists()  # it is deployed
    Deployment.objects.all().delete()
    owner.post(url(house, "model_delete", "base"))
    assert Model.objects.filter(name="base").exists()  # tuned was made from it
    assert owner.post(url(house, "model_delete", "tuned")).status_code == 302
    assert not Model.objects.filter(name="tuned").exists()


def test_import_starts_a_job(house: House) -> None:
    file = SimpleUploadedFile("model.zip", b"PK\x05\x06" + bytes(18))
    upload = create_upload_from_file(house.actor("expert"), house.project, file)
    client = house.client("expert")
    answer = client.post(url(house, "model_import"), {"name": "mine", "source": str(upload.pk), "licence": ""})
    job = Job.objects.get(kind="lms.import")
    assert answer["Location"].endswith(f"{job.pk}/")
    bad = client.post(url(house, "model_import"), {"name": "a:b", "source": str(upload.pk)})
    assert bad.status_code == 400
    assert Job.objects.count() == 1


def test_evaluation_page_compares(house: House, version: ModelVersion) -> None:
    before, after = Evaluation.objects.order_by("pk")
    page = house.client().get(url(house, "evaluation_detail", after.pk) + f"?with={before.pk}").content.decode()
    assert "20.0 %" in page
    assert page.count("More than chance explains (95 %)") == 1  # law, but not physics with its large error
    assert "A &lt;b&gt;model" in page
    assert house.client("stranger").get(url(house, "evaluation_detail", after.pk)).status_code == 404
    assert house.client().get(url(house, "evaluation_detail", after.pk) + "?with=nonsense").status_code == 404


def test_evaluation_page_says_whose_answers_stand_side_by_side(house: House, version: ModelVersion) -> None:
    before, after = Evaluation.objects.order_by("pk")
    page = house.client().get(url(house, "evaluation_detail", after.pk) + f"?with={before.pk}").content.decode()
    answers = page[page.index('id="answers-title"') :]
    assert answers.index(str(after.model_version)) < answers.index(str(before.model_version))


def test_evaluation_of_a_loss_names_its_rows_and_promises_nothing_else(house: House, version: ModelVersion) -> None:
    job = Job.objects.create(project=house.project, kind="lms.evaluate", state=JobState.SUCCEEDED)
    job.inputs.create(name="model", artefact=version.artefact)
    job.inputs.create(name="dataset", artefact=make_artefact(house.project, "letters:3", "dataset_version"))
    evaluation = register_evaluation(job, {"manifest": {}}, {"loss": 1.5})
    page = house.client().get(url(house, "evaluation_detail", evaluation.pk)).content.decode()
    assert "Held-out rows of letters:3" in page
    assert "Results by subject" not in page
    assert ">Accuracy<" not in page
    measured = Evaluation.objects.exclude(pk=evaluation.pk).latest("pk")
    assert ">Accuracy<" in house.client().get(url(house, "evaluation_detail", measured.pk)).content.decode()


def test_a_name_that_is_none_is_refused_in_plain_words(house: House, version: ModelVersion) -> None:
    for page in ("deployment_create", "deployment_connect"):
        answer = house.client().post(url(house, page), {"name": "助手"})
        assert answer.status_code == 400
        assert "Use letters a-z, digits, - and _" in answer.content.decode()


def test_an_engine_is_shown_by_its_label(house: House, version: ModelVersion) -> None:
    Deployment.objects.update(runtime="embedded")
    job = Job.objects.create(project=house.project, kind="lms.serve", state=JobState.RUNNING, service=True)
    deployment = Deployment.objects.get()
    deployment.instances.create(model_version=version, job=job, runtime="embedded")
    for address in (url(house, "deployment_list"), url(house, "deployment_detail", "helper")):
        assert "<td>Embedded engine (OpenVINO)</td>" in house.client().get(address).content.decode(), address


@pytest.mark.parametrize("tab", gpucloud.ARTEFACT_TABS)
def test_every_tab_of_a_model(house: House, version: ModelVersion, tab: str) -> None:
    """Of the newest version on the page of the model, and of a version on its own."""
    for address in (url(house, "model_detail", "tuned"), url(house, "version_detail", "tuned", 1)):
        answer = house.client("viewer").get(f"{address}?tab={tab}")
        assert answer.status_code == 200
        assert [row["active"] for row in answer.context["tabs"]] == [name == tab for name in gpucloud.ARTEFACT_TABS]
        assert ("<lineage-graph" in answer.content.decode()) is (tab == "lineage")
        assert house.client("stranger").get(f"{address}?tab={tab}").status_code == 404


def test_the_spec_of_a_model_is_that_of_its_job(house: House, version: ModelVersion) -> None:
    address = url(house, "version_detail", "tuned", 1) + "?tab=spec"
    assert "This project holds no job that made this" in house.client("viewer").get(address).content.decode()
    job = Job.objects.create(project=house.project, kind="lms.import", params={"name": "tuned"})
    Artefact.objects.filter(pk=version.pk).update(job_id=job.pk)
    answer = house.client("viewer").get(address)
    assert answer.context["snippets"] == gpucloud.snippets(job)
    assert reverse("gpucloud:job_detail", args=[house.project.slug, job.pk]) in answer.content.decode()


def test_a_model_leads_to_the_job_that_made_it_while_there_is_one(house: House, version: ModelVersion) -> None:
    address, made = url(house, "model_detail", "tuned"), "The job that made it"
    job = Job.objects.create(project=house.project, kind="lms.import")
    Artefact.objects.filter(pk=version.pk).update(job_id=job.pk)
    assert made in house.client("viewer").get(address).content.decode()
    job.delete()
    assert made not in house.client("viewer").get(address).content.decode()


def test_a_model_without_versions_has_no_tabs(house: House) -> None:
    Model.objects.create(project=house.project, name="empty")
    answer = house.client("expert").get(url(house, "model_detail", "empty") + "?tab=spec")
    assert "tabs" not in answer.context and "Edit this model" in answer.content.decode()


@pytest.mark.parametrize("tab", details.EVALUATION_TABS)
def test_every_tab_of_an_evaluation(house: House, version: ModelVersion, tab: str) -> None:
    evaluation = Evaluation.objects.latest("pk")
    answer = house.client("viewer").get(url(house, "evaluation_detail", evaluation.pk) + f"?tab={tab}")
    assert answer.status_code == 200
    assert [row["active"] for row in answer.context["tabs"]] == [name == tab for name in details.EVALUATION_TABS]


@pytest.mark.parametrize("tab", details.DEPLOYMENT_TABS)
def test_every_tab_of_a_deployment(house: House, version: ModelVersion, tab: str) -> None:
    """Before it ran, and of an instance that is chosen."""
    address = url(house, "deployment_detail", "helper")
    assert house.client("viewer").get(f"{address}?tab={tab}").status_code == 200
    deployment = Deployment.objects.get(name="helper")
    deployment.instances.all().delete()
    made = [
        deployment.instances.create(
            model_version=deployment.model_version,
            job=Job.objects.create(project=house.project, kind="lms.serve", state=JobState.RUNNING, service=True),
        )
        for _number in range(2)
    ]
    for instance in made:
        answer = house.client("viewer").get(f"{address}?tab={tab}&instance={instance.pk}")
        assert answer.status_code == 200
        if tab in ("metrics", "logs"):
            assert f'data-job="{instance.job_id}"' in answer.content.decode()


def test_a_deployment_is_deployed_again_from_its_spec(house: House, version: ModelVersion) -> None:
    """As a YAML reader, a shell with `aifs`, Python and curl read it."""
    params = {"max_batch": 2, "resources": {"cpus": 1}}
    deployment = Deployment.objects.create(
        project=house.project, name="second", model_version=version, replicas=2, runtime_params=params
    )
    told = {row["title"]: row["code"] for row in details.snippets(deployment)}
    body = json.loads(told["JSON"])
    assert yaml.safe_load(told["YAML"]) == body == json.loads(shlex.split(told["curl"])[-1])
    given = cli.parser().parse_args(shlex.split(told["aifs"])[1:])
    assert (given.model, given.name, given.replicas) == (str(version.pk), "second", (2, 2))
    assert pairs(given.param) == params
    call = ast.parse(told["Python"]).body[1].value  # type: ignore[attr-defined]
    named = {part.arg: ast.literal_eval(part.value) for part in call.keywords}
    assert named == {"name": "second", "runtime": "auto", "replicas": 2, "params": params}
    outside = Deployment(project=house.project, name="outside", external_url="http://h/v1", external_key="sealed")
    assert "sealed" not in str(details.snippets(outside))
    shown = house.client("viewer").get(url(house, "deployment_detail", "second") + "?tab=spec").content.decode()
    assert "each of these deploys the same again" in shown and "starts the same job" not in shown


def test_evaluation_form_starts_a_job(house: House, version: ModelVersion) -> None:
    client = house.client("expert")
    answer = client.post(url(house, "evaluation_create"), {"model": str(version.pk), "prompts": "Who are you?"})
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    assert Job.objects.filter(kind="lms.evaluate").exclude(state="succeeded").count() == 1
    nothing = client.post(url(house, "evaluation_create"), {"model": str(version.pk)})
    assert "There is nothing to evaluate" in nothing.content.decode()
    assert Job.objects.filter(kind="lms.evaluate").exclude(state="succeeded").count() == 1


def test_deployment_form_deploys(house: House, version: ModelVersion) -> None:
    client = house.client("engineer")
    form = {
        "name": "second", "model": str(version.pk), "replicas": 1, "runtime": "auto", "cache_gib": "0.5",
        "prefix_cache": "on", "cpus": 2,
    }  # fmt: skip
    answer = client.post(url(house, "deployment_create"), form)
    assert answer["Location"] == url(house, "deployment_detail", "second")
    assert Deployment.objects.get(name="second").runtime_params == {"cache_gib": 0.5, "resources": {"cpus": 2}}
    assert Job.objects.get(kind="lms.serve").resources["cpus"] == 2
    for change, words in [
        ({"name": "helper"}, "already has"),
        ({"name": "a b"}, "error"),
        ({"cache_gib": "-1"}, "error"),
    ]:
        again = client.post(url(house, "deployment_create"), {**form, **change})
        assert again.status_code == 400
        assert words in again.content.decode()
    assert house.client("expert").post(url(house, "deployment_create"), form).status_code == 403


def test_deployment_form_proposes_the_name_of_the_model(house: House, version: ModelVersion) -> None:
    address = url(house, "deployment_create") + f"?model={version.pk}"
    assert 'value="tuned"' in house.client().get(address).content.decode()
    Deployment.objects.create(project=house.project, name="tuned", model_version=version)
    assert 'value="tuned-2"' in house.client().get(address).content.decode()
    assert house.client().get(url(house, "deployment_create") + "?model=x%00y").status_code == 200


def test_deployment_page_changes_and_ends_it(house: House, version: ModelVersion) -> None:
    client = house.client("engineer")
    page = client.get(url(house, "deployment_detail", "helper")).content.decode()
    assert "chat/completions" in page
    part = client.get(url(house, "deployment_detail", "helper"), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    client.post(url(house, "deployment_update", "helper"), {"model": str(version.pk), "replicas": 2})
    assert Deployment.objects.get(name="helper").replicas == 2
    client.post(url(house, "deployment_stop", "helper"))
    assert not Deployment.objects.get(name="helper").wanted
    client.post(url(house, "deployment_stop", "helper"))  # already stopped: a message, no error page
    client.post(url(house, "deployment_start", "helper"))
    assert Deployment.objects.get(name="helper").wanted
    client.post(url(house, "deployment_update", "helper"), {"model": str(version.pk), "replicas": 0})
    assert Deployment.objects.get(name="helper").replicas == 2
    viewer = house.client("viewer")
    for deed in ("update", "start", "stop", "delete"):
        assert viewer.post(url(house, f"deployment_{deed}", "helper")).status_code == 403
        assert house.client("stranger").post(url(house, f"deployment_{deed}", "helper")).status_code == 404
    client.post(url(house, "deployment_delete", "helper"))
    assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("en", "Stop helper? Until it is started again, whoever asks it gets an error."),
        ("zh-hans", "停止 helper？重新启动之前，对它的调用都会报错。"),
    ],
)
def test_stopping_a_deployment_says_what_ends(
    house: House, version: ModelVersion, language: str, question: str
) -> None:
    client = house.client("engineer")
    client.cookies["django_language"] = language
    page = client.get(url(house, "deployment_detail", "helper"))
    assert f'data-confirm="{question}"' in page.content.decode()


def test_external_endpoint_form(house: House, settings: Any) -> None:
    settings.AIFS_PRIVATE_HOSTS = ["127.0.0.1:9999"]
    client = house.client("engineer")
    form = {"name": "outside", "external_url": "http://127.0.0.1:9999/v1", "external_key": "sk-1"}
    assert client.post(url(house, "deployment_connect"), form).status_code == 302
    refused = client.post(
        url(house, "deployment_connect"), {**form, "name": "b", "external_url": "http://127.0.0.1:1/v1"}
    )
    assert refused.status_code == 400
    assert "AIFS_PRIVATE_HOSTS" in refused.content.decode()
    page = client.get(url(house, "deployment_detail", "outside")).content.decode()
    assert "sk-1" not in page


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_playground_refuses_what_is_no_request(house: House, body: bytes) -> None:
    answer = house.client().post(url(house, "playground_ask"), body, content_type="application/json")
    assert answer.status_code == 400


def test_playground_says_when_the_gateway_is_away(house: House, settings: Any) -> None:
    settings.AIFS_GATEWAY_URL = "http://127.0.0.1:9"
    body = json.dumps({"model": "x", "messages": [{"role": "user", "content": "hi"}]})
    answer = house.client().post(url(house, "playground_ask"), body, content_type="application/json")
    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"


def test_playground_is_closed_to_strangers(house: House) -> None:
    client: Client = house.client("stranger")
    assert client.post(url(house, "playground_ask"), b"{}", content_type="application/json").status_code == 404


def test_versions_are_numbered_and_keep_their_origin(house: House) -> None:
    base = make_version(house.project, "base")
    meta = {
        "family": "llama",
        "format": "safetensors",
        "parameters": 7,
        "dtype": "bfloat16",
        "context_length": 512,
        "x": 1,
    }
    first = register_model_version(
        house.project, "mine", {"manifest": {}, "meta": meta}, base=base, parents={"model": base.artefact}
    )
    second = register_model_version(house.project, "mine", {"manifest": {}, "meta": {}})
    assert (first.number, second.number) == (1, 2)
    assert (first.family, first.parameters, first.context_length) == ("llama", 7, 512)
    assert [edge.parent for edge in first.artefact.parent_edges.all()] == [base.artefact]
