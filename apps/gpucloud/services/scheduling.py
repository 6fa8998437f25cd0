"""One tick of the scheduler: one transaction, under an advisory lock that only one scheduler holds at a time."""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Case, Q, When
from django.db.models.functions import Now
from django.utils.translation import gettext_noop as _

from apps.gpucloud.models import Accelerator, Attempt, AttemptState, Job, JobState, Lease, Node, NodeState
from apps.gpucloud.services.attempts import lease_time
from apps.gpucloud.services.pausing import go_on_after_pause
from apps.gpucloud.services.placement import BACKFILL_S, Device, Room, keep_a_node, place, why_waiting
from apps.gpucloud.services.quotas import Allowance, allowances
from apps.gpucloud.services.transitions import (
    Reason,
    change_state,
    close_attempt,
    end_job,
    pause_over,
    reason,
    requeue,
)
from apps.gpucloud.services.wakeups import wake_finisher, wake_node
from workers.kinds import Resources

log = logging.getLogger(__name__)

TICK_LOCK = 0x41494653
"""Any fixed number; the advisory lock's name."""
WAITING_MAX = 2_000
"""Jobs looked at in one tick; the rest has lower priority and keeps its place."""
AWAY_S = 3.0
"""A database that did not answer for so long was away, however short the leases are: a look comes every second."""
FINISH_AGAIN_S = 5
"""How long a finisher has before it is rung for again, and again."""


@dataclass
class Tick:
    """What one tick did."""

    held: bool = False
    """Another scheduler was at work; this tick did nothing."""
    placed: int = 0
    waiting: int = 0
    lost: int = 0


class Clock:
    """Watches the database's clock against this process's own: while they disagree nothing may expire, nor when the
    database could not be reached for a while."""

    def __init__(self) -> None:
        self.last: tuple[float, datetime] | None = None
        self.reached_at = time.monotonic()
        self.quiet_until = self.reached_at + settings.AIFS_LEASE_S  # who has only begun knows nothing of before

    def trusts(self, database_now: datetime, database_started: datetime) -> bool:
        """False for one lease after the database came back, had no connection for us, or its clock jumped: the agents
        had no chance to renew. To be asked at every look at the database, also by one who only stands by."""
        now = time.monotonic()
        away = now - self.reached_at
        jumped = abs((database_now - self.last[1]).total_seconds() - (now - self.last[0])) if self.last else 0.0
        if max(away, jumped) > max(settings.AIFS_LEASE_S / 2, AWAY_S):
            self.quiet_until = now + settings.AIFS_LEASE_S
        self.last = (now, database_now)
        return now >= self.quiet_until and database_now - database_started > lease_time()

    def reached(self) -> None:
        """The database has answered until now, however long that took."""
        self.reached_at = time.monotonic()


class Every:
    """Is due at once, and once in so many seconds from then on, however often it is asked."""

    def __init__(self, period_s: float) -> None:
        self.period_s, self.due_at = period_s, 0.0

    def is_due(self) -> bool:
        now = time.monotonic()
        if now < self.due_at:
            return False
        self.due_at = now + self.period_s
        return True


@transaction.atomic
def tick(clock: Clock) -> Tick:
    """Take back what was lost, then give waiting jobs what is free."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s), now(), pg_postmaster_start_time()", [TICK_LOCK])
        locked, now, started = cursor.fetchone()
    trusted = clock.trusts(now, started)
    if not locked:
        clock.reached()
        return Tick(held=True)
    done = Tick()
    if trusted:
        mark_lost_nodes(now)
        done.lost = expire_leases()
    go_on_after_pause(now)
    place_waiting(now, done)
    clock.reached()
    return done


def mark_lost_nodes(now: datetime) -> None:
    """A node whose agent has been silent for a lease takes no more jobs; it is ready again at its next heartbeat. One
    that an operator has closed stays closed, heard or not."""
    silent = Q(heartbeat_at__lt=now - lease_time()) | Q(heartbeat_at__isnull=True)
    Node.objects.filter(silent, state=NodeState.READY).update(state=NodeState.LOST)


def expire_leases() -> int:
    """Attempts whose lease has run out are lost; their jobs go on elsewhere from the newest valid checkpoint."""
    expired = Lease.objects.filter(
        released_at__isnull=True, expires_at__lte=Now(), attempt__state__in=Attempt.ACTIVE
    ).values_list("attempt_id", flat=True)
    count = 0
    for attempt in Attempt.objects.filter(pk__in=list(expired)).select_related("node"):
        try:
            with transaction.atomic():
                count += _take_back(attempt)
        except DatabaseError:
            raise
        except Exception:  # a bug in one app's handler must not stop the scheduling of all others
            log.exception("attempt %s could not be taken back", attempt.pk)
    return count


def _take_back(attempt: Attempt) -> bool:
    job = Job.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=attempt.job_id).first()
    attempt.refresh_from_db(fields=["state"])
    if job is None or attempt.state not in Attempt.ACTIVE or not _still_expired(attempt):
        return False
    why = reason("node_lost", _("Node %(node)s stopped answering; the job goes on elsewhere."), node=attempt.node.name)
    # An attempt that no agent ever took says nothing about the job.
    failed = attempt.state != AttemptState.ASSIGNED
    close_attempt(attempt, AttemptState.LOST, why)
    requeue(job, why, failed=failed, attempt=attempt)
    return True


def _still_expired(attempt: Attempt) -> bool:
    """The agent may have renewed it while the job's lock was awaited."""
    return Lease.objects.filter(attempt=attempt, released_at__isnull=True, expires_at__lte=Now()).exists()


def ring_finishers_again() -> None:
    """A finishing attempt whose bell was lost, or whose finisher died, is rung for again."""
    overdue = Attempt.objects.filter(
        state=AttemptState.FINISHING, leases__released_at__lt=Now() - timedelta(seconds=FINISH_AGAIN_S)
    )
    for attempt_id in overdue.values_list("pk", flat=True).distinct():
        wake_finisher(attempt_id)


# --- placing


def place_waiting(now: datetime, done: Tick) -> None:
    allowed = allowances()
    waiting = list(
        Job.objects.filter(pause_over(now), state=JobState.QUEUED)
        .order_by(*_held_back_last(allowed), "-priority", "queued_at", "id")
        .values("id", "project_id", "resources", "reason", "queued_at")[:WAITING_MAX]
    )
    if not waiting:
        return
    rooms = rooms_left(now)
    blocked = _blocked([row["id"] for row in waiting])
    said: dict[str, tuple[Reason, list[UUID]]] = {}
    for row in waiting:
        long = now - row["queued_at"] > timedelta(seconds=BACKFILL_S)
        why = blocked.get(row["id"]) or _start(row, rooms, allowed[row["project_id"]], long)
        if why is None:
            done.placed += 1
            continue
        done.waiting += 1
        if row["reason"] != why:
            said.setdefault(repr(why), (why, []))[1].append(row["id"])
    for why, ids in said.values():
        free = Job.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=ids, state=JobState.QUEUED)
        Job.objects.filter(pk__in=free.values("pk")).update(reason=why)


def _held_back_last(allowed: Mapping[UUID, Allowance]) -> list[Case]:
    """An order in which the jobs of a project that has used its quota up come last: however many they are, the jobs of
    others are looked at."""
    held = Q()
    for project, allowance in allowed.items():
        if spent := allowance.spent():
            held |= Q(project=project, **({"resources__accelerators__gt": 0} if spent == {"accelerators"} else {}))
    return [Case(When(held, then=1), default=0)] if held else []


def _start(row: Mapping[str, Any], rooms: list[Room], allowance: Allowance, long: bool) -> Reason | None:
    """Give a job what it wants, or say why it waits. long: it has waited so long that what it lacks is kept for it; a
    job that its project's quota holds back keeps no node from others."""
    wanted = Resources(**row["resources"])
    if why := allowance.why_waiting(wanted):
        if long:
            allowance.keep(wanted)
        return why
    choice = place(row["id"], wanted, rooms)
    if choice and assign(row["id"], wanted, *choice):
        allowance.take(wanted)
        return None
    if long:
        keep_a_node(row["id"], wanted, rooms)
    return why_waiting(wanted, rooms)


def rooms_left(now: datetime) -> list[Room]:
    """Every node that takes jobs, with what is free on it."""
    nodes = list(
        Node.objects.filter(
            state=NodeState.READY, agent_id__isnull=False, heartbeat_at__gte=now - lease_time()
        ).order_by("name")
    )
    used: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
    taken: set[UUID] = set()
    for node_id, cpus, memory, device in Lease.objects.filter(released_at__isnull=True, node__in=nodes).values_list(
        "node_id", "cpus", "memory_mib", "accelerator_id"
    ):
        used[node_id][0] += cpus
        used[node_id][1] += memory
        taken.add(device)
    devices: dict[UUID, list[Device]] = defaultdict(list)
    for row in Accelerator.objects.filter(node__in=nodes, health="ok").exclude(vendor="cpu"):
        devices[row.node_id].append(Device(row.pk, row.vendor, row.index))
    return [_room(node, used[node.pk], devices[node.pk], taken) for node in nodes]


def _room(node: Node, used: list[int], devices: list[Device], taken: set[UUID]) -> Room:
    totals: dict[str, int] = defaultdict(int)
    for device in devices:
        totals[device.vendor] += 1
    return Room(
        node.pk,
        node.name,
        cpus=node.lendable_cpus - used[0],
        memory_mib=node.memory_mib - used[1],
        devices=[device for device in devices if device.id not in taken],
        total_cpus=node.lendable_cpus,
        total_memory_mib=node.memory_mib,
        total_devices=dict(totals),
        disk_mib=node.disk_free_mib,
    )


def _blocked(ids: Iterable[UUID]) -> dict[UUID, Reason]:
    """Jobs that wait for others, with the reason. One that waits for a job that failed is failed itself."""
    through: Any = Job.after.through
    links = (
        through.objects.filter(from_job_id__in=list(ids))
        .exclude(to_job__state=JobState.SUCCEEDED)
        .values_list("from_job_id", "to_job_id", "to_job__name", "to_job__kind", "to_job__state")
    )
    found: dict[UUID, Reason] = {}
    for waiting, earlier, name, kind, state in links:
        data = {"job": str(earlier), "name": name or kind}
        if state in (JobState.FAILED, JobState.CANCELLED):
            found[waiting] = reason("dependency_failed", _("It waited for “%(name)s”, which did not succeed."), **data)
            _end_dependent(waiting, found[waiting])
        else:
            found.setdefault(waiting, reason("after", _("Waits for “%(name)s” to succeed."), **data))
    return found


def _end_dependent(job_id: UUID, why: Reason) -> None:
    job = Job.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=job_id, state=JobState.QUEUED).first()
    if job:
        end_job(job, JobState.FAILED, why)


def assign(job_id: UUID, wanted: Resources, room: Room, devices: list[Device]) -> bool:
    """Give a job all it wants, or nothing. False when somebody else is changing the job at this moment."""
    job = Job.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=job_id, state=JobState.QUEUED).first()
    if job is None:
        return False
    fence = _next_fence()
    attempt = Attempt.objects.create(job=job, number=job.attempt_count + 1, node_id=room.node_id, fence=fence)
    common: dict[str, Any] = {
        "attempt": attempt,
        "node_id": room.node_id,
        "fence": fence,
        "expires_at": Now() + lease_time(),
    }
    Lease.objects.create(**common, cpus=wanted.cpus, memory_mib=wanted.memory_mib)
    for device in devices:
        Lease.objects.create(**common, accelerator_id=device.id)
    room.take(wanted, devices)
    change_state(job, JobState.SCHEDULED, attempt_count=attempt.number, not_before=None)
    wake_node(room.name, attempt.pk)
    return True


def _next_fence() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('gpucloud_fence')")
        return int(cursor.fetchone()[0])
