"""Quotas: what a project holds never goes over them, and whoever waits for that is told so."""

import random
import time

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.gpucloud import selectors, shown
from apps.gpucloud.models import Job, Lease, Quota
from apps.gpucloud.services import scheduling, submit_job
from apps.gpucloud.services.quotas import Allowance
from apps.gpucloud.services.transitions import release_leases
from tests.gpucloud.pieces import expire, fresh, gpu, make_node, schedule, started
from workers.kinds import Resources

pytestmark = pytest.mark.django_db


@pytest.fixture
def wide(db):
    """A node on which nothing but a quota is scarce."""
    return make_node("wide", [gpu(number) for number in range(8)], cpus=64, memory_mib=500_000)


@pytest.fixture
def elsewhere(house):
    """Submits a `gpucloud.check` in another project."""

    def submit(**options):
        return submit_job(house.actor("stranger"), house.other_project, "gpucloud.check", {}, **options)

    return submit


def limit(house, **limits):
    return Quota.objects.create(project=house.project, **limits)


def use(project):
    return selectors.with_use(Quota.objects.filter(project=project))[0].used


def states(*jobs):
    return [fresh(job).state for job in jobs]


def end(job):
    """Its attempt is over, and what it held is free."""
    attempt = job.attempts.latest("number")
    attempt.state = "succeeded"
    attempt.save()
    release_leases(attempt)
    Job.objects.filter(pk=job.pk).update(state="succeeded")


# --- the rule


@pytest.mark.parametrize(
    ("limits", "each"),
    [
        ({"cpus": 4}, {"cpus": 2}),
        ({"memory_mib": 2000}, {"memory_mib": 1000}),
        ({"accelerators": 2}, {"accelerators": 1}),
        ({"running_jobs": 2}, {}),
    ],
    ids=lambda given: "-".join(given),
)
def test_a_limit_is_reached_and_not_passed(house, check, wide, limits, each):
    limit(house, **limits)
    jobs = [check(resources=each) for _ in range(4)]
    assert schedule().placed == 2
    assert schedule().placed == 0, "the next tick counts what the one before lent"
    assert states(*jobs) == ["scheduled", "scheduled", "queued", "queued"]
    why = fresh(jobs[2]).reason
    name, most = next(iter(limits.items()))
    assert (why["code"], why["data"]["quota"]) == ("quota_used", name)
    assert (why["data"]["limit"], why["data"]["used"]) == (most, most)
    end(jobs[0])
    assert schedule().placed == 1
    assert states(*jobs) == ["succeeded", "scheduled", "scheduled", "queued"]


def test_the_reason_says_limit_use_and_who_can_change_it(house, check, wide):
    limit(house, cpus=4)
    check(resources={"cpus": 3})
    waiting = check(resources={"cpus": 2})
    schedule()
    said = shown.reason(fresh(waiting).reason)
    assert said["message"] == "Waits for the project's quota: 3 of 4 cores are in use, and it needs 2."
    assert "operator" in said["hint"]


@pytest.mark.parametrize("asked", [{"cpus": 5}, {"memory_mib": 4001}, {"accelerators": 2}])
def test_what_is_more_than_the_whole_quota_says_so_and_waits_for_a_change(house, check, wide, asked):
    """It starts once the quota is large enough; nothing is failed for it."""
    quota = limit(house, cpus=4, memory_mib=4000, accelerators=1)
    job = check(resources=asked)
    schedule()
    assert (fresh(job).state, fresh(job).reason["code"]) == ("queued", "over_quota")
    name, most = next(iter(asked.items()))
    assert f"{most}" in shown.reason_text(fresh(job).reason)
    setattr(quota, name, most)
    quota.save()
    assert schedule().placed == 1


@pytest.mark.parametrize("name", Quota.LIMITS)
def test_zero_lets_nothing_start_that_needs_it(house, check, wide, name):
    limit(house, **{name: 0})
    plain, card = check(), check(resources={"accelerators": 1})
    schedule()
    assert states(plain, card) == ["scheduled" if name == "accelerators" else "queued", "queued"]
    assert fresh(card).reason["code"] == "over_quota"


def test_without_a_row_and_with_an_empty_one_there_is_no_limit(house, check, wide):
    jobs = [check(resources={"cpus": 8}) for _ in range(2)]
    schedule()
    limit(house)
    jobs += [check(resources={"cpus": 8}) for _ in range(2)]
    schedule()
    assert states(*jobs) == ["scheduled"] * 4


def test_a_lowered_quota_ends_nothing_and_starts_nothing(house, check, wide):
    quota = limit(house, running_jobs=3)
    running = [check() for _ in range(3)]
    waiting = check()
    schedule()
    for job in running:
        started(job)
    quota.running_jobs = 1
    quota.save()
    for _ in range(2):
        assert schedule().placed == 0
    assert states(*running, waiting) == ["running"] * 3 + ["queued"]
    assert fresh(waiting).reason["data"] == {"quota": "running_jobs", "limit": 1, "used": 3, "needed": 1}
    end(running[0])
    end(running[1])
    assert schedule().placed == 0, "one runs, one may"
    end(running[2])
    assert schedule().placed == 1


def test_a_quota_that_is_taken_away_frees_the_queue(house, check, wide):
    quota = limit(house, cpus=0)
    jobs = [check() for _ in range(3)]
    schedule()
    quota.delete()
    assert schedule().placed == 3
    assert states(*jobs) == ["scheduled"] * 3


def test_services_count(house, wide, check):
    limit(house, cpus=4)
    service = check(resources={"cpus": 3}, service=True)
    job = check(resources={"cpus": 2})
    schedule()
    assert states(service, job) == ["scheduled", "queued"]
    assert use(house.project)["cpus"] == 3


def test_a_job_that_is_taken_back_is_counted_once(house, check, wide):
    limit(house, running_jobs=1)
    job = check()
    schedule()
    started(job)
    expire(job.attempts.get())
    schedule()
    assert (fresh(job).state, fresh(job).attempt_count) == ("scheduled", 2)
    assert use(house.project)["running_jobs"] == 1


def test_a_job_that_names_no_memory_waits_only_while_none_is_left(house, check, wide):
    """It adds nothing, since it promises nothing."""
    limit(house, memory_mib=1000)
    first = check()
    full = check(resources={"memory_mib": 1000})
    late = check()
    schedule()
    assert states(first, full, late) == ["scheduled", "scheduled", "queued"]
    assert use(house.project)["memory_mib"] == 1000


# --- and others


def test_other_projects_are_not_held_up(house, check, elsewhere, wide):
    limit(house, cpus=1)
    own = [check(resources={"cpus": 1}, priority=50) for _ in range(3)]
    other = elsewhere(resources={"cpus": 8})
    assert schedule().placed == 2
    assert states(*own, other) == ["scheduled", "queued", "queued", "scheduled"]


def test_a_job_over_its_quota_keeps_no_node(house, check, elsewhere, node):
    limit(house, cpus=1)
    check()
    schedule()
    old = check()
    Job.objects.filter(pk=old.pk).update(queued_at="2020-01-01T00:00:00Z")
    small = elsewhere(resources={"cpus": 3})
    schedule()
    assert fresh(old).reason["code"] == "quota_used"
    assert states(old, small) == ["queued", "scheduled"]


@pytest.mark.parametrize("limits", [{"cpus": 1}, {"accelerators": 1}], ids=lambda given: "-".join(given))
def test_a_long_queue_over_quota_does_not_hide_others(house, check, elsewhere, wide, monkeypatch, limits):
    """A tick looks at so many jobs; those that their quota holds back do not use that up."""
    monkeypatch.setattr(scheduling, "WAITING_MAX", 4)
    limit(house, **limits)
    for _ in range(9):
        check(resources=dict.fromkeys(limits, 1), priority=10)
    schedule()
    other = elsewhere()
    schedule()
    assert fresh(other).state == "scheduled"


def test_small_jobs_slip_past_a_large_one_of_the_project_but_not_for_ever(house, check, wide):
    limit(house, cpus=4, accelerators=8)
    runs = check(resources={"cpus": 2})
    schedule()
    large = check(resources={"cpus": 4})
    small = check(resources={"cpus": 1})
    schedule()
    assert states(large, small) == ["queued", "scheduled"]
    Job.objects.filter(pk=large.pk).update(queued_at="2020-01-01T00:00:00Z")
    late = check(resources={"cpus": 1})
    schedule()
    assert states(large, late) == ["queued", "queued"]
    assert fresh(late).reason["code"] == "quota_kept"
    end(runs)
    end(small)
    schedule()
    assert states(large, late) == ["scheduled", "queued"]


def test_nobody_waits_behind_one_that_services_leave_no_room_for(house, check, wide):
    limit(house, cpus=4)
    check(resources={"cpus": 2}, service=True)
    schedule()
    large = check(resources={"cpus": 3})
    Job.objects.filter(pk=large.pk).update(queued_at="2020-01-01T00:00:00Z")
    small = check(resources={"cpus": 1})
    schedule()
    assert states(large, small) == ["queued", "scheduled"]


def test_one_that_waits_for_cards_does_not_hold_up_work_without(house, check, wide):
    limit(house, accelerators=1)
    check(resources={"accelerators": 1})
    schedule()
    card = check(resources={"accelerators": 1})
    Job.objects.filter(pk=card.pk).update(queued_at="2020-01-01T00:00:00Z")
    plain = check()
    schedule()
    assert states(card, plain) == ["queued", "scheduled"]


# --- counted, at random


@pytest.mark.parametrize("seed", range(6))
def test_never_over_quota_whatever_comes_and_goes(house, check, elsewhere, seed):
    """Random quotas that change, random jobs that come and end: a tick never takes a project over its quota of the
    moment, and never ends what runs."""
    chance = random.Random(seed)
    make_node("east", [gpu(0), gpu(1)], cpus=6, memory_mib=6000)
    make_node("west", [gpu(0), gpu(1), gpu(2)], cpus=6, memory_mib=6000)
    projects = (house.project, house.other_project)
    for _round in range(12):
        for project in projects:
            limits = {"cpus": 12, "memory_mib": 8000, "accelerators": 4, "running_jobs": 5}
            drawn = {name: chance.choice([None, chance.randint(0, most)]) for name, most in limits.items()}
            if chance.random() < 0.3:
                Quota.objects.update_or_create(project=project, defaults=drawn)
        for submit in (check, elsewhere):
            for _ in range(chance.randint(0, 4)):
                submit(
                    resources={
                        "cpus": chance.randint(1, 4),
                        "memory_mib": chance.choice([0, 500, 2500]),
                        "accelerators": chance.choice([0, 0, 1, 2]),
                    },
                    priority=chance.randint(0, 3),
                    service=chance.random() < 0.2,
                )
        before = {quota.project_id: quota.used for quota in selectors.with_use(Quota.objects.all())}
        holding = set(Lease.objects.filter(released_at__isnull=True).values_list("pk", flat=True))
        schedule()
        for quota in selectors.with_use(Quota.objects.all()):
            for name, most in quota.limits.items():
                assert quota.used[name] <= max(most, before[quota.project_id][name]), (seed, name)
        assert holding <= set(Lease.objects.filter(released_at__isnull=True).values_list("pk", flat=True))
        for job in Job.objects.filter(state="scheduled"):
            if chance.random() < 0.4:
                end(job)


def test_use_is_what_leases_add_up_to(house, check, wide):
    """Against plain sums over the project's jobs."""
    limit(house)
    for resources in ({"cpus": 3, "memory_mib": 700}, {"accelerators": 2}, {"cpus": 2, "accelerators": 1}):
        check(resources=resources)
    ended = check(resources={"cpus": 4, "memory_mib": 10})
    schedule()
    end(ended)
    assert use(house.project) == {"accelerators": 3, "cpus": 6, "memory_mib": 700, "running_jobs": 3}


def test_all_quotas_are_counted_in_one_question(house, check, elsewhere, wide):
    for project in (house.project, house.other_project):
        Quota.objects.create(project=project, cpus=8)
    check()
    elsewhere()
    schedule()
    with CaptureQueriesContext(connection) as asked:
        rows = selectors.with_use(Quota.objects.all())
    assert len(asked) == 2 and [row.used["cpus"] for row in rows] == [1, 1]
    Quota.objects.all().delete()
    with CaptureQueriesContext(connection) as asked:
        assert selectors.with_use(Quota.objects.all()) == []
    assert len(asked) == 1


def test_the_reason_is_not_written_again_while_nothing_changes(house, check, wide):
    limit(house, running_jobs=1)
    for _ in range(4):
        check()
    schedule()
    with CaptureQueriesContext(connection) as asked:
        assert schedule().waiting == 3
    assert not [query for query in asked if query["sql"].startswith('UPDATE "gpucloud_job"')]


def test_a_thousand_jobs_over_quota_are_looked_at_quickly(house, wide):
    limit(house, running_jobs=0, cpus=4, accelerators=1, memory_mib=1000)
    given = {"cpus": 4, "memory_mib": 0, "accelerators": 0, "vendor": "", "timeout_s": 0}
    Job.objects.bulk_create(Job(project=house.project, kind="gpucloud.check", resources=given) for _ in range(1_000))
    schedule()
    spent = []
    for _ in range(3):
        began = time.process_time()
        assert schedule().waiting == 1_000
        spent.append(time.process_time() - began)
    assert min(spent) < 0.1


# --- the row


@pytest.mark.parametrize("name", Quota.LIMITS)
def test_the_database_takes_no_negative_limit(house, name):
    with pytest.raises(IntegrityError), transaction.atomic():
        limit(house, **{name: -1})
    limit(house, **{name: 0})


def test_a_project_has_one_quota_at_most(house):
    limit(house)
    with pytest.raises(IntegrityError), transaction.atomic():
        limit(house)


def test_an_allowance_without_limits_lets_everything_start():
    allowance = Allowance()
    allowance.take(Resources(64, 1 << 20, 8))
    assert allowance.why_waiting(Resources(64, 1 << 20, 8)) is None
