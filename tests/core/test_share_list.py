"""Sharing artefacts with projects and teams: who may, what is seen there, and that taking it back is at once."""

import pytest
from django.urls import reverse

from apps.core import lineage, selectors, services
from apps.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from apps.core.models import AuditEvent, LineageEdge, Membership, Notification, Share
from tests.datasets.making import make_version
from tests.factories import make_actor, make_artefact, make_house, make_key, make_project
from tests.lmt.making import make_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    """`owner` of harbour is a data scientist in `quay`, where `reader` is the only other member."""
    house = make_house()
    house.quay = make_project("quay", house.stranger)
    Membership.objects.create(project=house.quay, user=house.owner, role="data_scientist")
    return house


@pytest.fixture
def rows(house, tmp_path):
    return make_version(house, tmp_path)


@pytest.fixture
def weights(house, tmp_path):
    return make_model(house.project, tmp_path)


@pytest.fixture
def reader(house):
    """`stranger` owns quay and is nobody in harbour."""
    return house.client("stranger")


def share(house, version, **target):
    return services.share_artefact(house.actor(), version.artefact, **(target or {"project": "quay"}))


def at(name, project, *args):
    return reverse(name, args=[project.slug, *args])


def post(house, version, target, part="owner"):
    url = at("core:share_create", house.project, version.artefact.type, version.pk)
    return house.client(part).post(url, {"target": target})


# --- who may share with whom


def test_an_owner_shares_with_a_project_of_his_own(house, rows):
    assert post(house, rows, f"project:{house.quay.pk}").status_code == 302
    made = Share.objects.get()
    assert (made.artefact_id, made.project, made.team) == (rows.pk, house.quay, None)
    page = house.client().get(at("core:share_list", house.project, "dataset_version", rows.pk)).content.decode()
    assert "The project Quay" in page


def test_core_share_create_is_for_owners(house, rows):
    target = f"project:{house.quay.pk}"
    Membership.objects.create(project=house.quay, user=house.engineer, role="owner")
    for part, status in (("engineer", 403), ("viewer", 403), ("stranger", 404), (None, 302)):
        assert post(house, rows, target, part).status_code == status
        listed = house.client(part).get(at("core:share_list", house.project, "dataset_version", rows.pk))
        assert listed.status_code == status
    assert not Share.objects.exists()


def test_only_to_where_one_could_bring_it_in_oneself(house, rows):
    actor = house.actor()
    with pytest.raises(NotFound):  # not a member; looks as if it did not exist
        services.share_artefact(actor, rows.artefact, project=house.other_project.slug)
    with pytest.raises(NotFound):
        services.share_artefact(actor, rows.artefact, project="nowhere")
    with pytest.raises(NotFound):
        services.share_artefact(actor, rows.artefact, team=house.other_project.team_id)
    Membership.objects.filter(project=house.quay, user=house.owner).update(role="viewer")
    with pytest.raises(NotFound):
        services.share_artefact(house.actor(), rows.artefact, project="quay")
    assert not Share.objects.exists()


def test_bad_targets_and_wrong_states(house, rows):
    share(house, rows)
    with pytest.raises(Conflict):
        share(house, rows)
    with pytest.raises(InvalidInput):
        services.share_artefact(house.actor(), rows.artefact)
    with pytest.raises(InvalidInput):
        share(house, rows, project="quay", team=house.project.team_id)
    with pytest.raises(InvalidInput, match="cannot be shared"):
        services.share_artefact(house.actor(), make_artefact(house.project), project="quay")
    for target in ("", "project:", "nonsense", f"user:{house.owner.pk}", "team:1"):
        assert post(house, rows, target).status_code in (400, 404)


def test_what_is_shared_cannot_be_shared_on(house, rows):
    share(house, rows)
    with pytest.raises(NotFound):
        services.share_artefact(make_actor(house.stranger), rows.artefact, project=house.other_project.slug)
    url = at("core:share_create", house.quay, "dataset_version", rows.pk)
    target = {"target": f"project:{house.other_project.pk}"}
    assert house.client("stranger").post(url, target).status_code == 404


def test_both_audits_know_and_the_owners_there_are_told(house, rows):
    made = share(house, rows)
    services.revoke_share(house.actor(), made)
    for project in (house.project, house.quay):
        assert list(
            AuditEvent.objects.filter(project=project, action__startswith="artefact.")
            .order_by("at")
            .values_list("action", flat=True)
        ) == ["artefact.share", "artefact.unshare"]
    told = list(Notification.objects.order_by("id").values_list("user", "event", "project"))
    assert told == [
        (house.stranger.pk, "artefact.share", house.quay.pk), (house.stranger.pk, "artefact.unshare", house.quay.pk)
    ]  # fmt: skip


# --- what is seen there


def test_it_stands_in_lists_and_pickers_marked(house, rows, weights, reader):
    share(house, rows), share(house, weights)
    for name in ("datasets:dataset_list", "lms:model_list", "core:artefact_list"):
        body = reader.get(at(name, house.quay)).content.decode()
        assert "shared from Harbour" in body, name
    form = reader.get(at("lmt:run_create", house.quay)).content.decode()
    assert "facts:1 (shared from Harbour)" in form and "tiny:1 (shared from Harbour)" in form
    assert "tiny:1 (shared from Harbour)" in reader.get(at("lms:deployment_create", house.quay)).content.decode()


def test_the_page_of_what_is_shared(house, rows, weights, reader):
    share(house, rows), share(house, weights)
    for version in (rows, weights):
        page = reader.get(at("core:shared_detail", house.quay, version.pk))
        assert page.status_code == 200
        assert "Shared from Harbour" in page.content.decode()
        assert str(house.owner) not in page.content.decode()
    assert reader.get(at("datasets:version_rows", house.quay, rows.pk)).status_code == 200
    assert reader.get(at("datasets:version_export", house.quay, rows.pk)).status_code == 200
    moved = reader.get(at("datasets:version_detail", house.quay, rows.pk))
    assert moved["Location"] == at("core:shared_detail", house.quay, rows.pk)
    own = house.client().get(at("core:shared_detail", house.project, rows.pk))
    assert own["Location"] == at("datasets:version_detail", house.project, rows.pk)


def test_nothing_around_it_leaks(house, rows, tmp_path, reader):
    """Two more versions, a job, a description and a person's name stand in harbour; quay sees version 1 alone."""
    rows.dataset.description = "secret description"
    rows.dataset.save()
    rows.artefact.job_id = "01900000-0000-7000-8000-000000000001"
    rows.artefact.save()
    (tmp_path / "more").mkdir()
    make_version(house, tmp_path / "more", "facts")
    share(house, rows)
    listed = reader.get(at("datasets:dataset_list", house.quay))
    [row] = listed.context["list"]["rows"]
    assert (row.version_count, row.newest_number) == (1, 1)
    texts = [listed.content.decode()]
    texts += [
        reader.get(at(name, house.quay, rows.pk)).content.decode()
        for name in ("core:shared_detail", "datasets:version_rows")
    ]
    graph = reader.get(at("core:lineage_detail", house.quay, "dataset_version", rows.pk))
    texts += [graph.content.decode()]
    key = make_key(house.stranger, house.quay)
    house.keys["stranger"] = key
    for url in (
        reverse("dataset-version-detail", args=[rows.pk]), reverse("dataset-version-list"), reverse("artefact-list"),
        reverse("artefact-detail", args=[rows.pk]), reverse("lineage", args=["dataset_version", rows.pk]),
    ):  # fmt: skip
        answer = house.api("stranger").get(url)
        assert answer.status_code == 200, url
        texts.append(answer.content.decode())
    for text in texts:
        for secret in ("facts:2", "secret description", "01900000-0000-7000", house.owner.email, house.owner.name):
            assert secret not in text
    assert reader.get(at("datasets:dataset_detail", house.quay, rows.dataset_id)).status_code == 404
    assert reader.get(at("datasets:version_detail", house.project, rows.pk)).status_code == 404
    assert house.api("stranger").get(reverse("dataset-detail", args=[rows.dataset_id])).status_code == 404


def test_it_is_read_only(house, rows, weights, reader):
    share(house, rows), share(house, weights)
    house.keys["stranger"] = make_key(house.stranger, house.quay)
    api = house.api("stranger")
    card = reverse("model-version-detail", args=[weights.pk])
    assert api.get(card).status_code == 200
    assert api.patch(card, {"card": "mine"}, content_type="application/json").status_code == 404
    assert api.get(reverse("model-version-file", args=[weights.pk, "model.safetensors"])).status_code == 200
    assert api.get(reverse("dataset-version-rows", args=[rows.pk])).json()["rows"]
    steps = {"steps": [{"step": "exact_duplicates"}]}
    trial = reverse("dataset-version-trial", args=[rows.pk])
    assert api.post(trial, steps, content_type="application/json").status_code == 200
    with pytest.raises((NotAllowed, NotFound)):
        services.revoke_share(make_actor(house.stranger), Share.objects.first())


def test_strangers_of_both_see_nothing(house, rows):
    share(house, rows)
    client = house.client("viewer")  # of harbour, not of quay
    assert client.get(at("core:shared_detail", house.quay, rows.pk)).status_code == 404
    nobody = make_house("faraway")
    assert nobody.client().get(at("core:shared_detail", nobody.project, rows.pk)).status_code == 404
    assert nobody.api().get(reverse("dataset-version-detail", args=[rows.pk])).status_code == 404
    assert nobody.api().get(reverse("lineage", args=["dataset_version", rows.pk])).status_code == 404
    assert not nobody.client().get(at("datasets:dataset_list", nobody.project)).context["list"]["rows"]


def test_names_of_what_is_shared(house, rows):
    share(house, rows)
    for ref in (str(rows.pk), "harbour/facts", "harbour/facts:1"):
        assert selectors.find_artefact(house.quay, "dataset_version", ref).pk == rows.pk
    for ref in ("facts", "facts:1", "harbour/facts:2", "harbour/fact", "other/facts", "harbour/.*", "harbour/"):
        with pytest.raises(NotFound):
            selectors.find_artefact(house.quay, "dataset_version", ref)


def test_comments_stay_in_the_project_where_they_are_made(house, rows, reader):
    share(house, rows)
    services.create_comment(house.actor(), house.project, "dataset_version", rows.pk, "ours alone")
    url = at("core:comment_create", house.quay, "dataset_version", rows.pk)
    assert reader.post(url, {"text": "theirs alone"}).status_code == 302
    theirs = reader.get(at("core:comment_list", house.quay, "dataset_version", rows.pk)).content.decode()
    ours = house.client("viewer").get(at("core:comment_list", house.project, "dataset_version", rows.pk))
    assert "theirs alone" in theirs and "ours alone" not in theirs
    assert "theirs alone" not in ours.content.decode()


# --- lineage across projects


def test_edges_cross_projects_and_show_only_what_is_shared(house, rows, reader):
    before = make_artefact(house.project, "hidden source")
    LineageEdge.objects.create(parent=before, child=rows.artefact, role="source")
    share(house, rows)
    made = make_artefact(house.quay, "made here", "plan", parents={"dataset": rows.artefact})
    seen = lineage.lineage(make_actor(house.stranger), "plan", made.pk)
    assert {node.name for node in seen.nodes} == {"made here", "facts"}
    assert [(link.parent, link.child) for link in seen.links] == [(rows.pk, made.pk)]
    shared = next(node for node in seen.nodes if node.id == rows.pk)
    assert (shared.shared_from, shared.project.slug, shared.job) == ("Harbour", "quay", None)
    assert shared.url == at("core:shared_detail", house.quay, rows.pk)
    there = lineage.lineage(house.actor("viewer"), "dataset_version", rows.pk)
    assert {node.name for node in there.nodes} == {"facts", "hidden source"}  # what quay made is quay's
    assert reader.get(at("core:lineage_detail", house.quay, "plan", made.pk)).status_code == 200


# --- taking it back


def test_core_share_revoke_is_at_once_everywhere(house, rows, weights, reader):
    made = [share(house, rows), share(house, weights)]
    urls = [
        at("core:shared_detail", house.quay, rows.pk), at("datasets:version_rows", house.quay, rows.pk),
        at("datasets:version_export", house.quay, rows.pk), at("datasets:clean_create", house.quay, rows.pk),
        at("core:lineage_detail", house.quay, "dataset_version", rows.pk),
        at("core:comment_list", house.quay, "dataset_version", rows.pk),
        at("core:shared_detail", house.quay, weights.pk),
    ]  # fmt: skip
    assert [reader.get(url).status_code for url in urls] == [200] * len(urls)
    for row in made:
        url = at("core:share_revoke", house.project, row.pk)
        assert house.client("engineer").post(url).status_code == 403
        assert reader.post(url).status_code == 404
        assert house.client().get(url).status_code == 405
        assert house.client().post(url).status_code == 302
        assert house.client().post(url).status_code == 404
    assert [reader.get(url).status_code for url in urls] == [404] * len(urls)
    house.keys["stranger"] = make_key(house.stranger, house.quay)
    for name, version in (
        ("dataset-version-detail", rows),
        ("model-version-detail", weights),
        ("artefact-detail", rows),
    ):
        assert house.api("stranger").get(reverse(name, args=[version.pk])).status_code == 404
    for name in ("datasets:dataset_list", "lms:model_list", "core:artefact_list"):
        assert not reader.get(at(name, house.quay)).context["list"]["rows"]
    assert "facts:1" not in reader.get(at("lmt:run_create", house.quay)).content.decode()


def test_lists_with_shared_rows_ask_no_more_than_eight(house, rows, weights, reader, django_assert_max_num_queries):
    share(house, rows), share(house, weights)
    house.keys["stranger"] = make_key(house.stranger, house.quay)
    pages = [at(name, house.quay) for name in ("datasets:dataset_list", "lms:model_list", "core:artefact_list")]
    calls = [reverse(f"{name}-list") for name in ("artefact", "dataset-version", "model-version")]
    for client, urls in ((reader, pages), (house.api("stranger"), calls)):
        for url in urls:
            client.get(url)
            with django_assert_max_num_queries(8):
                assert client.get(url).status_code == 200
