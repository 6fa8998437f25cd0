"""What people say about a thing: who reads, who writes, what becomes of the text, who is told."""

import pytest
from django.urls import reverse

from apps.core import services
from apps.core.ids import uuid7
from apps.core.models import AuditEvent, Comment, Notification
from apps.core.services import comments
from apps.core.services.housekeeping import tidy
from apps.gpucloud.services import submit_job
from tests.factories import make_artefact, make_house

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def house():
    return make_house()


@pytest.fixture
def thing(house):
    return make_artefact(house.project, "rows:1", "dataset_version")


def page(house, thing, name="comment_list"):
    return reverse(f"core:{name}", args=[house.project.slug, thing.type, thing.pk])


def say(house, thing, text, part="expert"):
    return services.create_comment(house.actor(part), house.project, thing.type, thing.pk, text)


def post(house, thing, text="Well done.", part="expert", **more):
    return house.client(part).post(page(house, thing, "comment_create"), {"text": text}, **more)


def deed(house, comment, name, part="expert", **body):
    url = reverse(f"core:comment_{name}", args=[house.project.slug, comment.pk])
    return house.client(part).post(url, body)


def test_it_is_said_and_everybody_in_the_project_reads_it(house, thing):
    answer = post(house, thing)
    comment = Comment.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == f"{page(house, thing)}#comment-{comment.pk}"
    for part in ("owner", "engineer", "data_scientist", "expert", "viewer"):
        body = house.client(part).get(page(house, thing)).content.decode()
        assert "Well done." in body and str(house.expert) in body
    assert AuditEvent.objects.filter(action="comment.create", user=house.expert).count() == 1
    assert "Well done." not in str(AuditEvent.objects.filter(action="comment.create").values())


def test_scripts_get_the_fragment_people_without_them_a_page(house, thing):
    say(house, thing, "Hello")
    whole = house.client().get(page(house, thing)).content.decode()
    part = house.client().get(page(house, thing), headers=HTMX).content.decode()
    assert "<html" in whole and "<html" not in part
    answer = post(house, thing, "And again", headers=HTMX)
    assert answer.status_code == 200 and "And again" in answer.content.decode()


@pytest.mark.parametrize(
    ("part", "read", "written"),
    [("viewer", 200, 403), ("stranger", 404, 404), (None, 302, 302), ("engineer", 200, 302)],
)
def test_who_may(house, thing, part, read, written):
    assert house.client(part).get(page(house, thing)).status_code == read
    assert post(house, thing, part=part).status_code == written
    assert Comment.objects.exists() == (part == "engineer")


def test_a_viewer_sees_no_form(house, thing):
    body = house.client("viewer").get(page(house, thing)).content.decode()
    assert "<textarea" not in body and "data-people" not in body
    assert "<textarea" in house.client("expert").get(page(house, thing)).content.decode()


def test_only_things_of_the_project_can_be_talked_about(house, thing):
    theirs = make_artefact(house.other_project, "theirs", "dataset_version")
    assert house.client().get(page(house, theirs)).status_code == 404
    assert post(house, theirs).status_code == 404
    lying = reverse("core:comment_create", args=[house.project.slug, "model_version", thing.pk])
    assert house.client().post(lying, {"text": "x"}).status_code == 404
    nothing = reverse("core:comment_create", args=[house.project.slug, "job", uuid7()])
    assert house.client().post(nothing, {"text": "x"}).status_code == 404
    assert not Comment.objects.exists()


def test_a_job_is_a_thing_too(house):
    job = submit_job(house.actor(), house.project, "gpucloud.check", {}, name="look")
    url = reverse("core:comment_create", args=[house.project.slug, "job", job.pk])
    assert house.client().post(url, {"text": "Why so slow?"}).status_code == 302
    address = reverse("gpucloud:job_detail", args=[house.project.slug, job.pk])
    assert reverse("core:comment_list", args=[house.project.slug, "job", job.pk]) in (
        house.client().get(address).content.decode()
    )


@pytest.mark.parametrize("text", ["", "   \n ", "x" * (comments.LONGEST + 1), "nul\0"])
def test_bad_text_is_refused(house, thing, text):
    assert post(house, thing, text).status_code == 400
    assert not Comment.objects.exists()


def test_markup_is_inert(house, thing):
    say(
        house,
        thing,
        '<script>alert(1)</script> <img src=x onerror=alert(1)> javascript:alert(1) http://a.b/"onclick="x',
    )
    body = house.client().get(page(house, thing)).content.decode()
    assert "<script>alert" not in body and "<img src=x" not in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body
    assert 'href="javascript:' not in body and 'onclick="x' not in body
    assert '<a class="link" href="http://a.b/" rel="nofollow noopener noreferrer">http://a.b/</a>' in body


def test_a_name_cannot_smuggle_markup_in(house, thing):
    house.expert.name = '<b onmouseover="x">Eve</b>'
    house.expert.save()
    say(house, thing, f"me: @{house.expert.name}")
    body = house.client().get(page(house, thing)).content.decode()
    assert "<b onmouseover" not in body
    assert '<span class="mention">@&lt;b onmouseover=&quot;x&quot;&gt;Eve&lt;/b&gt;</span>' in body


def test_twenty_a_minute_and_deleting_does_not_help(house, thing, monkeypatch):
    monkeypatch.setattr(comments, "PER_MINUTE", 2)
    for number in range(2):
        services.delete_comment(house.actor("expert"), say(house, thing, f"number {number}"))
    answer = post(house, thing)
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert post(house, thing, part="owner").status_code == 302  # others are not slowed down


def test_older_ones_are_a_click_away(house, thing, monkeypatch):
    monkeypatch.setattr(comments, "PER_MINUTE", 100)
    said = [say(house, thing, f"number {number}") for number in range(53)]
    newest = house.client().get(page(house, thing)).context
    assert [line["comment"].pk for line in newest["lines"]] == [row.pk for row in said[3:]]
    older = house.client().get(page(house, thing), {"before": str(newest["older"])}).context
    assert [line["comment"].pk for line in older["lines"]] == [row.pk for row in said[:3]]
    assert (newest["count"], older["older"]) == (53, None)


def test_the_number_of_questions_does_not_grow(house, thing, django_assert_max_num_queries):
    for number in range(12):
        say(house, thing, f"number {number}")
    client = house.client()
    client.get(page(house, thing))
    with django_assert_max_num_queries(8):
        client.get(page(house, thing), headers=HTMX)


# --- changing and deleting


def test_edit_and_say_that_it_was_edited(house, thing):
    comment = say(house, thing, "befor")
    assert deed(house, comment, "edit", text="before").status_code == 302
    comment.refresh_from_db()
    assert comment.text == "before" and comment.edited_at
    assert deed(house, comment, "edit", text=" ").status_code == 400


def test_core_comment_edit_is_for_the_author_alone(house, thing):
    comment = say(house, thing, "mine")
    for part, status in (("owner", 403), ("viewer", 403), ("stranger", 404), (None, 302)):
        assert deed(house, comment, "edit", part, text="yours").status_code == status
    comment.refresh_from_db()
    assert comment.text == "mine"


def test_core_comment_delete_is_for_the_author_and_owners(house, thing):
    for part, status in (("engineer", 403), ("viewer", 403), ("stranger", 404), (None, 302)):
        assert deed(house, say(house, thing, "here"), "delete", part).status_code == status
    assert Comment.objects.count() == 4
    for part in ("expert", "owner"):
        comment = Comment.objects.first()
        assert deed(house, comment, "delete", part).status_code == 302
        assert deed(house, comment, "delete", part).status_code == 404
    assert Comment.objects.count() == 2
    url = reverse("core:comment_delete", args=[house.project.slug, Comment.objects.first().pk])
    assert house.client().get(url).status_code == 405


def test_core_comment_resolve_and_open_again(house, thing):
    comment = say(house, thing, "Please check.")
    assert deed(house, comment, "resolve", "engineer").status_code == 302
    comment.refresh_from_db()
    assert comment.resolved_at and comment.resolved_by == house.engineer
    assert "Resolved by" in house.client("viewer").get(page(house, thing)).content.decode()
    deed(house, comment, "resolve", "owner", open="1")
    comment.refresh_from_db()
    assert comment.resolved_at is None and comment.resolved_by is None
    assert deed(house, comment, "resolve", "viewer").status_code == 403
    assert deed(house, comment, "resolve", "stranger").status_code == 404


def test_another_projects_comment_is_not_found_through_mine(house, thing):
    comment = say(house, thing, "ours")
    url = reverse("core:comment_delete", args=[house.other_project.slug, comment.pk])
    assert house.client("stranger").post(url).status_code == 404
    assert Comment.objects.exists()


def test_what_was_said_goes_with_the_thing(house, thing):
    say(house, thing, "about the rows")
    job = submit_job(house.actor(), house.project, "gpucloud.check", {}, name="look")
    services.create_comment(house.actor(), house.project, "job", job.pk, "about the job")
    assert tidy()["comments"] == 0
    thing.delete()
    assert tidy()["comments"] == 1
    assert Comment.objects.get().type == "job"


# --- who is told


def told(event):
    return {row.user: row for row in Notification.objects.filter(event=event)}


def test_who_is_mentioned_is_told_where(house, thing):
    comment = say(house, thing, f"@{house.engineer.name} and @{house.viewer.email}, please look; @{house.expert.name}")
    heard = told("comment.mention")
    assert set(heard) == {house.engineer, house.viewer}  # not oneself
    row = heard[house.engineer]
    assert row.data == {"person": house.expert.name, "thing": "rows:1"}
    assert row.url == reverse("datasets:version_detail", args=[house.project.slug, thing.pk]) + f"#comment-{comment.pk}"
    assert "mentions you in a comment on rows:1" in (
        house.client("engineer").get(reverse("core:notification_list")).content.decode()
    )


def test_outsiders_hear_nothing_and_are_not_revealed(house, thing):
    say(house, thing, f"@{house.stranger.email} @{house.stranger.name} @nobody@example.com")
    assert not Notification.objects.exists()
    body = house.client().get(page(house, thing)).content.decode()
    assert 'class="mention"' not in body  # as plain as an address that nobody has
    assert Comment.objects.get().mentions == []


def test_who_has_left_is_no_member(house, thing):
    house.project.memberships.filter(user=house.engineer).delete()
    say(house, thing, f"@{house.engineer.name}")
    assert not Notification.objects.exists()


def test_an_edit_tells_only_who_is_new(house, thing):
    comment = say(house, thing, f"@{house.engineer.name}")
    services.update_comment(house.actor("expert"), comment, f"@{house.engineer.name} @{house.owner.name}")
    rows = Notification.objects.filter(event="comment.mention")
    assert sorted(row.user.name for row in rows) == sorted([house.engineer.name, house.owner.name])


def test_who_has_spoken_hears_of_answers_once(house, thing):
    say(house, thing, "first", "engineer")
    say(house, thing, "second", "expert")
    assert set(told("comment.create")) == {house.engineer}
    say(house, thing, f"third, @{house.engineer.name}", "owner")
    rows = [(row.user, row.event) for row in Notification.objects.order_by("id")]
    assert sorted(rows[1:], key=lambda row: row[1]) == [
        (house.expert, "comment.create"),
        (house.engineer, "comment.mention"),
    ]
