"""`/api/v1/models`, `model-versions`, `evaluations` and `deployments`."""

from typing import Any

import pytest

from apps.core.storage import storage
from apps.gpucloud.models import Job
from apps.lms.models import Deployment, ModelVersion
from apps.lms.services import register_model_version
from tests.factories import House
from tests.lms.serving import make_version
from tests.lms.test_pages import make_evaluation


@pytest.fixture
def version(house: House, tmp_path: Any) -> ModelVersion:
    (tmp_path / "sub").mkdir()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "sub" / "a b.txt").write_text("hello")
    meta = {"family": "llama", "format": "safetensors", "parameters": 5}
    output = {"manifest": storage().put_tree(tmp_path), "meta": meta}
    register_model_version(house.project, "tiny", output)
    return register_model_version(house.project, "tiny", output, licence="MIT")


def post(house: House, path: str, body: Any, part: str = "engineer", **headers: str) -> Any:
    return house.api(part).post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def test_versions_are_found_by_name_and_number(house: House, version: ModelVersion) -> None:
    api = house.api("viewer")
    rows = api.get("/api/v1/model-versions/?model=tiny&limit=1").json()["results"]
    assert [(row["model_name"], row["number"], row["parameters"]) for row in rows] == [("tiny", 2, 5)]
    assert api.get("/api/v1/model-versions/?model=tiny&number=1").json()["results"][0]["number"] == 1
    assert api.get("/api/v1/model-versions/?nothing=1").status_code == 400
    model = api.get("/api/v1/models/?name=tiny").json()["results"][0]
    assert (model["newest"], model["version_count"], model["licence"]) == (2, 2, "MIT")
    assert house.api("stranger").get(f"/api/v1/models/{model['id']}/").status_code == 404
    assert house.api("stranger").get("/api/v1/model-versions/").json()["results"] == []


def test_files_are_listed_and_read(house: House, version: ModelVersion) -> None:
    api = house.api("viewer")
    place = f"/api/v1/model-versions/{version.pk}/files/"
    assert [row["path"] for row in api.get(place).json()["files"]] == ["config.json", "sub/a b.txt"]
    answer = api.get(f"{place}sub/a b.txt/")
    assert b"".join(answer.streaming_content) == b"hello"
    for wrong in ("nothing", "../config.json", "%2e%2e/config.json", "/etc/passwd"):
        assert api.get(f"{place}{wrong}/").status_code in {400, 404}
    assert house.api("stranger").get(f"{place}config.json/").status_code == 404


def test_only_the_card_and_the_description_change(house: House, version: ModelVersion) -> None:
    api = house.api("expert")
    place = f"/api/v1/model-versions/{version.pk}/"
    answer = api.patch(place, {"card": "# New", "family": "gpt", "parameters": 1}, content_type="application/json")
    assert (answer.json()["card"], answer.json()["family"], answer.json()["parameters"]) == ("# New", "llama", 5)
    assert house.api("viewer").patch(place, {"card": "x"}, content_type="application/json").status_code == 403
    model = f"/api/v1/models/{version.model_id}/"
    assert api.patch(model, {"description": "d", "name": "z"}, content_type="application/json").json()["name"] == "tiny"
    assert api.delete(model).status_code == 403
    assert house.api("owner").delete(model).status_code == 204


def test_evaluations_are_read_and_started(house: House, version: ModelVersion) -> None:
    evaluation = make_evaluation(house, version)
    api = house.api("expert")
    found = api.get(f"/api/v1/evaluations/?suite=mmlu&model_version={version.pk}").json()["results"]
    assert found[0]["id"] == str(evaluation.pk)
    assert found[0]["scores"]["law"]["n"] == 40
    started = post(house, "evaluations/", {"model": "tiny:1", "prompts": ["Hello"]}, "expert")
    assert started.status_code == 202
    assert Job.objects.get(pk=started.json()["job"]).kind == "lms.evaluate"
    assert post(house, "evaluations/", {"model": "nobody"}, "expert").status_code == 400
    assert post(house, "evaluations/", {"model": "tiny"}, "viewer").status_code == 403


def test_deployments(house: House, version: ModelVersion) -> None:
    body = {"name": "helper", "model": "tiny:1", "replicas": 1, "runtime_params": {"cache_gib": 0.5}}
    made = post(house, "deployments/", body, **{"Idempotency-Key": "once"})
    assert made.status_code == 201, made.content
    shown = made.json()
    assert (shown["state"], shown["model"], shown["runtime"]) == ("starting", "tiny:1", "auto")
    assert shown["base_url"].endswith("/v1")
    assert post(house, "deployments/", body, **{"Idempotency-Key": "once"}).json()["id"] == shown["id"]
    assert post(house, "deployments/", body).status_code == 409
    api, place = house.api("engineer"), f"/api/v1/deployments/{shown['id']}/"
    rolled = api.patch(place, {"model": "tiny", "replicas": 2}, content_type="application/json").json()
    assert (rolled["model"], rolled["replicas"]) == ("tiny:2", 2)
    assert api.patch(place, {"name": "other"}, content_type="application/json").status_code == 400
    assert api.post(place + "stop/").json()["state"] == "stopped"
    assert api.post(place + "stop/").status_code == 409
    assert api.post(place + "start/").json()["state"] == "starting"
    assert api.get(place + "usage/").json()["calls"] == 0
    for part, status in (("viewer", 403), ("expert", 403), ("stranger", 404)):
        assert house.api(part).post(place + "stop/").status_code == status
    assert house.api("viewer").get("/api/v1/deployments/?name=helper").json()["results"][0]["id"] == shown["id"]
    assert api.delete(place).status_code == 204
    assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model": "nobody"}, "model"),
        ({"model": ""}, "model"),
        ({"name": "a b"}, "name"),
        ({"replicas": 0}, "replicas"),
        ({"runtime": "magic"}, "runtime"),
        ({"runtime_params": {"context_length": -1}}, "context_length"),
        ({"external_url": "http://127.0.0.1:1/v1"}, "external_url"),
    ],
)
def test_bad_deployments_are_named(house: House, version: ModelVersion, change: Any, field: str) -> None:
    answer = post(house, "deployments/", {"name": "helper", "model": "tiny"} | change)
    assert answer.status_code == 400
    assert field in answer.content.decode()
    assert not Deployment.objects.exists()


def test_nobody_sets_what_is_not_theirs(house: House) -> None:
    version = make_version(house.project)
    body = {
        "name": "helper",
        "model": str(version.pk),
        "wanted": False,
        "created_by": str(house.stranger.pk),
        "id": "x",
    }
    assert post(house, "deployments/", body).status_code == 201
    made = Deployment.objects.get()
    assert made.wanted
    assert made.created_by == house.engineer


def test_external_key_is_never_shown(house: House, settings: Any) -> None:
    settings.AIFS_PRIVATE_HOSTS = ["127.0.0.1:9999"]
    body = {"name": "outside", "runtime": "openai", "external_url": "http://127.0.0.1:9999/v1", "external_key": "sk-1"}
    answer = post(house, "deployments/", body)
    assert answer.status_code == 201
    assert "sk-1" not in answer.content.decode()
    assert "external_key" not in answer.json()
