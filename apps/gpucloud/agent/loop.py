"""The tending loop of a node.

A turn: touch every run's lease file, every heartbeat speak to PostgreSQL (renew leases, look for new attempts and for
wishes to stop), tend every run, forget what is done. When PostgreSQL is away only the touching goes on.
"""

import contextlib
import fcntl
import logging
import queue
import shutil
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils.translation import gettext_noop as _

from apps.core.readiness import announce_ready
from apps.core.selectors import as_uuid
from apps.core.storage import storage
from apps.gpucloud.agent import cleaning, machine, processes
from apps.gpucloud.agent.run import FORCE_AFTER_S, Run
from apps.gpucloud.models import Attempt, AttemptState, NodeState
from apps.gpucloud.services import attempts, nodes
from apps.gpucloud.services.pausing import Full
from apps.gpucloud.services.transitions import StaleFence, reason
from apps.gpucloud.tasks import agent_inbox
from workers import disk
from workers.supervise import is_alive

log = logging.getLogger(__name__)

EAGER_TURN_S, BUSY_TURN_S = 0.03, 0.2
DEVICES_EVERY_S = 10.0
CLEAN_EVERY_S = 60.0
ERRORS_MAX = 20
HELD = (AttemptState.PREPARING, AttemptState.RUNNING)


class Agent:
    def __init__(self, name: str, pool: str, runs_dir: Path) -> None:
        self.name, self.pool, self.runs_dir = name, pool, runs_dir
        self.id = uuid.uuid4()
        self.node_id: uuid.UUID | None = None
        self.runs: dict[uuid.UUID, Run] = {}
        self.errors: dict[uuid.UUID, int] = {}
        self.transfers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="transfer")
        self.supervisors = processes.Supervisors()
        self.rung: set[uuid.UUID] = set()
        self.devices = self.transfers.submit(machine.devices)
        self.next_beat = self.next_devices = 0.0
        self.next_cleaning = time.monotonic() + CLEAN_EVERY_S
        self.cleaning: list[Future[None]] = []
        self.stop_by: float | None = None
        self.handed_over = False
        self.away_since: float | None = None

    # --- from outside

    def stop(self) -> None:
        """Planned end: runs are asked for a checkpoint, and go back into the queue."""
        if self.stop_by is None:
            self.stop_by = time.monotonic() + settings.AIFS_STOP_GRACE_S + FORCE_AFTER_S
        agent_inbox.put("")

    def hand_over(self) -> None:
        """End at once and leave the runs to the next agent of this node."""
        self.handed_over = True
        agent_inbox.put("")

    def run(self) -> None:
        self.runs_dir.mkdir(parents=True, exist_ok=True)
        with open(self.runs_dir / f".{self.name}.lock", "w") as lock:
            if not self._is_alone(lock):
                return
            self._sweep_orphans()
            self.transfers.submit(storage().remove_abandoned)
            while not self._is_over():
                self.turn()
                self._wait()
            with contextlib.suppress(OperationalError, InterfaceError):
                if self.node_id and not self.handed_over:
                    nodes.leave(self.node_id, self.id)
            self.supervisors.end()
            self.transfers.shutdown(wait=False, cancel_futures=True)

    # --- one turn

    def turn(self) -> None:
        for run in self.runs.values():
            run.touch()
        try:
            self._speak()
            self.away_since = None
        except (OperationalError, InterfaceError) as error:
            if self.away_since is None:
                log.warning("the database is away, runs go on: %s", str(error).strip())
                self.away_since = time.monotonic()
            connection.close()

    def _speak(self) -> None:
        if self.rung and self.node_id and self.stop_by is None:
            self._answer_bell(self.node_id)
        if time.monotonic() >= self.next_beat:
            self._beat()
            self.next_beat = time.monotonic() + settings.AIFS_HEARTBEAT_S
        for run in list(self.runs.values()):
            self._tend(run)
        self.runs = {key: run for key, run in self.runs.items() if not run.done}
        if self.stop_by is None and not any(run.is_eager for run in self.runs.values()):
            self.supervisors.keep_spare()

    def _tend(self, run: Run) -> None:
        """One run's troubles are not its neighbours'."""
        key = run.claim.attempt_id
        try:
            run.tend()
            self.errors.pop(key, None)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("tending attempt %s failed", key)
            self.errors[key] = self.errors.get(key, 0) + 1
            if self.errors[key] >= ERRORS_MAX:
                run.stale = True  # its lease runs out, and another attempt may fare better

    def _beat(self) -> None:
        facts = machine.facts(self.runs_dir)
        if self.node_id is None:
            node = nodes.register_node(self.name, self.pool, self.id, facts, self.devices.result())
            self.node_id, state = node.pk, NodeState(node.state)
            announce_ready()
            log.info("node %s is here as agent %s", self.name, self.id)
        elif self.stop_by is not None:
            nodes.leave(self.node_id, self.id)  # before the runs end: they must not come straight back here
            state = NodeState.DRAINING
        else:
            told = nodes.beat(self.node_id, self.id, facts)
            if told is None:
                log.warning("another agent speaks for node %s; leaving the runs to it", self.name)
                self.handed_over = True
                return
            state = told
        attempts.renew_leases([key for key, run in self.runs.items() if not run.stale])
        self._look_around(draining=state == NodeState.DRAINING)
        self._report_devices()
        self._clean()

    def _clean(self) -> None:
        """Now and then; where the disk is short, one folder after the other until it is not, or none may go."""
        if time.monotonic() < self.next_cleaning or not all(work.done() for work in self.cleaning):
            return
        short = cleaning.is_short(self.runs_dir, settings.AIFS_DISK_FLOOR)
        held = {run.claim.job_id for run in self.runs.values()}
        going = cleaning.superfluous(self.runs_dir, settings.AIFS_RUN_DIR_DAYS, short=short, held=held)
        if short and going:
            log.warning("the disk is short: %d run directories of ended jobs go", len(going))
        else:
            self.next_cleaning = time.monotonic() + CLEAN_EVERY_S
        doomed = cleaning.doom(self.runs_dir, going)
        self.cleaning = [self.transfers.submit(shutil.rmtree, folder, ignore_errors=True) for folder in doomed]

    def _answer_bell(self, node_id: uuid.UUID) -> None:
        """New attempts first and at once; a bell for anything else makes the next heartbeat due."""
        known = {key for key in self.rung if key in self.runs}
        new = Attempt.objects.filter(pk__in=self.rung - known, node_id=node_id, state=AttemptState.ASSIGNED)
        for row in new.select_related("job"):
            self._take_or_refuse(row.pk, row)
        if known:
            self.next_beat = 0.0
        self.rung.clear()

    def _look_around(self, *, draining: bool) -> None:
        """What the database wants of this node: new attempts, ends, and attempts that an earlier agent held."""
        if self.node_id is None:
            return
        rows = Attempt.objects.filter(node_id=self.node_id, state__in=Attempt.ACTIVE).select_related("job")
        held = {row.pk: row for row in rows if row.state != AttemptState.FINISHING}
        for key, run in self.runs.items():
            row = held.get(key)
            if row is None or row.fence != run.claim.fence:
                run.stale = not run.done
            elif row.job.cancel_requested_at:
                run.ask_to_stop(cancel=True)
            elif draining or self.stop_by is not None:
                run.ask_to_stop(cancel=False)
        for key, row in held.items():
            if key not in self.runs and self.stop_by is None:
                self._take_or_refuse(key, row)

    def _take_or_refuse(self, key: uuid.UUID, row: Attempt) -> None:
        """An attempt that cannot be taken must not keep the agent from the others, nor be tried for ever."""
        try:
            self._take(key, row)
        except (OperationalError, InterfaceError):
            raise
        except StaleFence:
            log.info("attempt %s was taken back before it began", key)
        except Exception as error:
            log.exception("attempt %s cannot be taken", key)
            if disk.is_full(error):
                attempts.close_paused(key, row.fence, Full.on_node(self._directory(row)), {})
                return
            text = _("The node could not take the job: %(error)s")
            attempts.refuse_attempt(key, row.fence, reason("cannot_take", text, error=f"{error}"[:500]))

    def _directory(self, row: Attempt) -> Path:
        return self.runs_dir / str(row.job_id) / str(row.number)

    def _take(self, key: uuid.UUID, row: Attempt) -> None:
        directory = self._directory(row)
        if row.state in HELD:
            run = Run(attempts.describe(row.job, row), Path(row.run_dir), self.transfers, self.supervisors)
            log.info("adopting attempt %s", key)
            run.adopt(row)
        else:
            claim = attempts.claim_attempt(key, row.node_id, str(directory))
            if claim is None:
                return
            run = Run(claim, directory, self.transfers, self.supervisors)
            run.begin()
        self.runs[key] = run
        if row.job.cancel_requested_at:
            run.ask_to_stop(cancel=True)

    def _report_devices(self) -> None:
        if time.monotonic() < self.next_devices or not self.devices.done():
            return
        self.next_devices = time.monotonic() + DEVICES_EVERY_S
        if self.node_id:
            nodes.store_devices(nodes.Node(pk=self.node_id), self.devices.result())
        for run in self.runs.values():
            run.usage.devices = self.devices.result()
        self.devices = self.transfers.submit(machine.devices)

    # --- waiting and ending

    def _wait(self) -> None:
        """Until the next heartbeat, sooner when runs are watched, at once when the bell rings."""
        pause = max(0.0, self.next_beat - time.monotonic())
        if self.runs:
            eager = any(run.is_eager for run in self.runs.values())
            pause = min(pause, EAGER_TURN_S if eager else BUSY_TURN_S)
        if self.away_since is not None:
            pause = BUSY_TURN_S
        with contextlib.suppress(queue.Empty):
            self._hear(agent_inbox.get(timeout=pause))
            while True:
                self._hear(agent_inbox.get_nowait())

    def _hear(self, attempt_id: str) -> None:
        """An empty bell is a signal's: look around at once."""
        known = as_uuid(attempt_id)
        if known:
            self.rung.add(known)
        else:
            self.next_beat = 0.0

    def _is_over(self) -> bool:
        if self.handed_over:
            return True
        if self.stop_by is None:
            return False
        if time.monotonic() > self.stop_by:
            for run in self.runs.values():
                run.end_by_force()
            return True
        return not self.runs

    def _is_alone(self, lock: IO[str]) -> bool:
        """Two agents of one node on one machine would fight over its run directories: the second waits. False when it
        was told to end meanwhile."""
        while not _try_lock(lock):
            log.warning("another agent of node %s runs here; waiting for it to end", self.name)
            with contextlib.suppress(queue.Empty):
                agent_inbox.get(timeout=1.0)
            if self.stop_by is not None or self.handed_over:
                return False
        return True

    def _sweep_orphans(self) -> None:
        """Processes of runs whose supervisor is dead: nobody else would ever end them."""
        root = str(self.runs_dir)

        def orphaned(run: str) -> bool:
            who = processes.read_json(Path(run) / "supervisor.json")
            return run.startswith(f"{root}/") and who is not None and not is_alive(who)

        killed = processes.sweep(orphaned)
        if killed:
            log.warning("ended %d orphaned processes", len(killed))


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
