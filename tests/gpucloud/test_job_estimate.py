"""`gpucloud:job_estimate`: what a job of any kind would take, beside its form."""

import pytest
from django.urls import reverse

from apps.core.models import Upload
from apps.core.services import register_artefact
from apps.core.templatetags.ui import money
from apps.gpucloud import estimates, selectors
from apps.gpucloud.handlers import REGISTERED
from apps.gpucloud.models import Attempt, Node, NodeState
from tests.datasets.making import make_upload
from tests.gpucloud.pieces import make_node, schedule
from tests.lmt.making import make_data, make_model
from workers.kinds import kinds
from workers.lms.estimate import Serving

pytestmark = pytest.mark.django_db

GIB = 1024


def url(house, kind="lmt.sft"):
    return reverse("gpucloud:job_estimate", args=[house.project.slug, kind])


@pytest.fixture
def tuning(house, tmp_path):
    """What the form of a tuning run sends."""
    form = house.client("expert").get(reverse("lmt:run_create", args=[house.project.slug])).context["form"]
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    sent = {name: str(value) for name, value in values.items() if value not in (None, False)}
    model, data = make_model(house.project, tmp_path), make_data(house, tmp_path)
    return sent | {"model": str(model.pk), "dataset": str(data.pk), "name": "x"}


def test_it_follows_the_form(house, tuning):
    client = house.client("expert")
    assert client.post(url(house), tuning).context["estimate"].steps == 30
    assert client.post(url(house), tuning | {"effort": "quick"}).context["estimate"].steps == 10
    for wrong in ({"learning_rate": "-1"}, {"model": ""}, {"dataset": "nonsense"}):
        answer = client.post(url(house), tuning | wrong)
        assert answer.status_code == 200 and "missing" in answer.context and "estimate" not in answer.context


def test_it_says_what_the_run_will_hold_and_cost(house, tuning, settings):
    client = house.client("expert")
    answer = client.post(url(house), tuning)
    made, cost = answer.context["estimate"], answer.context["cost"]
    assert cost.core_hours == pytest.approx(made.seconds / 3600 * kinds.get("lmt.sft").resources.cpus)
    assert "Core hours" in answer.content.decode() and "CNY" not in answer.content.decode()
    settings.AIFS_CURRENCY, settings.AIFS_PRICE_CORE_HOUR = "CNY", 90.0
    assert money(cost.amount) in client.post(url(house), tuning).content.decode()


def test_a_name_is_not_needed_yet(house, tuning):
    assert house.client("expert").post(url(house), tuning | {"name": ""}).context["estimate"].steps == 30


def test_it_is_a_fragment_in_the_readers_language(house, tuning):
    client = house.client("expert")
    page = client.post(url(house), tuning).content.decode()
    assert page.lstrip().startswith("<h2") and "Trained parameters" in page and "MiB" in page


def test_an_evaluation(house, tmp_path):
    model, data = make_model(house.project, tmp_path), make_data(house, tmp_path)
    client, sent = house.client("expert"), {"model": str(model.pk), "dataset_rows": "500", "answer_tokens": "200"}
    sent |= {"shots": "0", "chat": "auto"}
    assert "missing" in client.post(url(house, "lms.evaluate"), sent).context  # nothing to measure it on
    made = client.post(url(house, "lms.evaluate"), sent | {"dataset": str(data.pk)}).context["estimate"]
    assert made.rows == data.rows and made.seconds > 0 and made.memory_mib > 0


def test_cores_of_a_deployment_and_what_its_cache_holds(house, tmp_path):
    model = make_model(house.project, tmp_path)
    page = house.client("engineer").get(
        reverse("lms:deployment_create", args=[house.project.slug]), {"model": str(model.pk)}
    )
    assert isinstance(page.context["estimate"], Serving)
    sent = {"model": str(model.pk), "cache_gib": "0.01", "max_running": "32", "cpus": "2", "context_length": "0"}
    sent |= {"max_waiting": "9", "precision": "f32", "threads": "0", "drain_s": "8", "runtime": "auto"}
    made = house.client("engineer").post(url(house, "lms.serve"), sent).context["estimate"]
    assert made.context_length == 512
    assert 0 < made.cache_bytes <= 0.01 * 2**30


def test_an_import_is_reckoned_once_its_file_is_here(house, tmp_path):
    """Of data and of a model alike; a name is not needed yet."""
    client, upload = house.client("expert"), make_upload(house, tmp_path, b"x" * 5_000_000)
    for kind, choices in (("datasets.import", {"kind": "auto"}), ("lms.import", {"dtype": "bfloat16"})):
        sent = choices | {"format": "auto", "encoding": "auto"}
        made = client.post(url(house, kind), sent | {"source": str(upload.pk)}).context["estimate"]
        assert made.size_bytes == 5_000_000 and made.seconds > 0
        for wrong in ("", "nonsense", str(house.project.pk), "\x00", str(upload.pk)[:-1]):
            assert "missing" in client.post(url(house, kind), sent | {"source": wrong}).context
    Upload.objects.update(sha256="")  # not whole
    assert "missing" in client.post(url(house, "datasets.import"), sent | {"source": str(upload.pk)}).context


def test_a_file_of_another_project_is_not_told(house, tmp_path):
    upload = make_upload(house, tmp_path, b"x")
    Upload.objects.update(project=house.other_project)
    sent = {"source": str(upload.pk), "kind": "auto", "format": "auto", "encoding": "auto"}
    assert "missing" in house.client("expert").post(url(house, "datasets.import"), sent).context


def test_cleaning_and_publishing(house, tmp_path):
    client, data, model = house.client("expert"), make_data(house, tmp_path), make_model(house.project, tmp_path)
    recipe = {"dataset": str(data.pk), "steps": '[{"step": "html"}]'}
    assert client.post(url(house, "datasets.clean"), recipe).context["estimate"].rows == data.rows
    for steps in ("[]", "nonsense", '[{"step": "no such"}]', '[{"step": "html", "a": 1e999}]'):
        assert "missing" in client.post(url(house, "datasets.clean"), recipe | {"steps": steps}).context
    kept = register_artefact(project=house.project, type="checkpoint", name="run · 2", manifest={}, created_by=None)
    sent = {"model": str(model.pk), "checkpoint": str(kept.pk)}
    assert client.post(url(house, "lms.publish"), sent).context["estimate"].parameters == model.parameters


@pytest.mark.parametrize("kind", kinds.names())
def test_every_kind_answers_an_empty_form(house, kind):
    answer = house.client("owner").post(url(house, kind), {})
    assert answer.status_code == 200
    assert ("missing" in answer.context) == (kind in REGISTERED[kind.partition(".")[0]].estimated)


def test_whether_a_node_has_room_now(house, tmp_path, tuning):
    client = house.client("expert")
    assert client.post(url(house), tuning).context["fit"] == {"fits": False, "text": "No node is ready."}
    make_node("small", memory_mib=100)
    assert client.post(url(house), tuning).context["fit"] == {
        "fits": False, "text": "No node has so much free now; small has 100 MiB."
    }  # fmt: skip
    make_node("large", memory_mib=64 * GIB)
    answer = client.post(url(house), tuning)
    assert answer.context["fit"] == {"fits": True, "text": "Fits on large now."}
    assert 'data-fits="yes"' in answer.content.decode()
    Node.objects.filter(name="large").update(state=NodeState.DRAINING)
    assert not client.post(url(house), tuning).context["fit"]["fits"]


def test_what_jobs_were_lent_or_have_taken_is_not_free(check, node):
    whole = selectors.memory_free()[node.name]
    check({"steps": 2}, resources={"memory_mib": 300})
    schedule()
    assert selectors.memory_free()[node.name] == whole - 300
    Attempt.objects.update(peak_memory_mib=500)
    assert selectors.memory_free()[node.name] == whole - 500


def test_cards_count_for_what_computes_on_them(house, node):
    node.accelerators.all().delete()
    for index, used in enumerate((0, 30_000)):
        node.accelerators.create(vendor="nvidia", index=index, model="H", memory_total_mib=80_000, memory_used_mib=used)
    assert selectors.memory_free(1) == {node.name: 80_000}
    assert selectors.memory_free(2) == {node.name: 130_000}
    assert selectors.memory_free(3) == {}


def test_a_job_is_reckoned_as_its_form_was(house, tmp_path):
    from tests.lmt.making import start

    run = start(house, tmp_path)
    made = estimates.of_job(house.actor("viewer"), run)
    assert made is not None and made.steps == 30


def test_what_another_project_holds_is_not_told(house, tmp_path, tuning):
    theirs = make_model(house.other_project, tmp_path, "theirs")
    assert "missing" in house.client("expert").post(url(house), tuning | {"model": str(theirs.pk)}).context


def test_who_may_ask(house):
    assert house.client("expert").get(url(house)).status_code == 405
    assert house.client("expert").post(url(house, "no.such")).status_code == 400
    assert house.client("viewer").post(url(house), {}).status_code == 403
    assert house.client("stranger").post(url(house), {}).status_code == 404
    assert house.client(None).post(url(house), {}).status_code == 302
