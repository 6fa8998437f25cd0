"""One attempt on this node, from its claim to its end.

Every method runs on the agent's main thread; what may take long (fetching, storing) runs in `transfers` and comes back
as a future. Whatever fails for want of the database raises, and is done again at the next turn.
"""

import logging
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext_noop as _

from apps.core.errors import AifsError
from apps.core.storage import manifest_sha256, manifest_size, storage
from apps.gpucloud.agent import processes
from apps.gpucloud.agent.files import BACKLOG_BYTES, Tail, parse_events, parse_output
from apps.gpucloud.agent.prepare import Prepared, prepare
from apps.gpucloud.agent.usage import Usage
from apps.gpucloud.agent.verdict import Verdict, judge
from apps.gpucloud.models import Attempt, Checkpoint
from apps.gpucloud.services import attempts, checkpoints
from apps.gpucloud.services.attempts import Claim
from apps.gpucloud.services.events import Batch, store_batch
from apps.gpucloud.services.pausing import Full
from apps.gpucloud.services.transitions import Reason, StaleFence, reason
from workers import disk
from workers.supervise import is_alive

log = logging.getLogger(__name__)

STORE_EVERY_S = 0.2
EAGER_S = 3.0
"""So long after the start, and after the last news, files are looked at in every turn."""
FORCE_AFTER_S = 5.0
"""A supervisor that is still there so long after the grace does not listen."""
UPLOAD_TRIES = 4
STORAGE_FAILED = "storage_failed"
GIVEN_BACK = ("inputs", "outputs", "checkpoints", "resume", "scratch")
"""Folders of a run directory that are of no use once its attempt is over and the job goes on elsewhere."""
DATABASE_AWAY = (OperationalError, InterfaceError)


@dataclass
class Upload:
    """Something on its way to storage. then: what to do with its manifest. event: the run's own words about it."""

    work: Future[Any]
    then: Callable[[Any], None]
    event: dict[str, Any]


class Run:
    def __init__(self, claim: Claim, directory: Path, transfers: Executor, supervisors: processes.Supervisors) -> None:
        self.claim, self.dir = claim, directory
        self.transfers, self.supervisors = transfers, supervisors
        self.usage = Usage(claim.spec, service=claim.service)
        self.events, self.output = Tail(directory / "events.jsonl"), Tail(directory / "output.log")
        self.prepared: Future[Prepared] | None = None
        self.launch: str | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.launched = self.told = self.cancelled = self.stale = self.done = False
        self.asked_at: float | None = None
        self.stale_at: float | None = None
        self.exit: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.refused: Reason | None = None
        self.outputs: dict[str, Any] = {}
        self.uploads: list[Upload] = []
        self.full: Full | None = None
        self.unstored = False
        self.stored_at = 0.0
        self.news_at = time.monotonic()
        self.resync = False

    # --- beginnings

    def begin(self) -> None:
        """Prepare the run directory, at once when there is little to fetch, else in a thread."""
        self.launch = processes.new_launch(self.dir)
        if self.launch is None:
            self.launched = True  # an earlier agent's supervisor has it
        elif self.claim.spec.inputs or self.claim.checkpoints:
            self.prepared = self.transfers.submit(prepare, self.claim, self.dir)
        else:
            self.prepared = _at_once(prepare, self.claim, self.dir)

    def adopt(self, attempt: Attempt) -> None:
        """Go on where an earlier agent of this node left off."""
        self.events.offset, self.output.offset = attempt.events_offset, attempt.output_offset
        self.error = attempt.reason or None
        self.told = attempt.started_at is not None
        if (self.dir / "supervisor.json").exists():
            self.launched = True
            self._upload_again()
        elif self.told:
            self.launched, self.exit = True, {"code": None, "reason": "supervisor_lost"}
        else:
            self.begin()

    def _upload_again(self) -> None:
        """What was announced before this agent came, and may not have reached storage."""
        known = set(Checkpoint.objects.filter(attempt=self.claim.attempt_id).values_list("step", flat=True))
        before = Tail(self.events.path)
        while before.offset < self.events.offset:
            lines, before.offset = before.read()
            if not lines:
                break
            for event in parse_events(lines):
                if event["type"] == "artefact" or (event["type"] == "checkpoint" and event.get("step") not in known):
                    self._upload(event)

    # --- one turn

    def touch(self) -> None:
        """Tell the supervisor that somebody still tends this run."""
        if self.launched and not self.stale:
            (self.dir / "lease").touch()

    @property
    def is_eager(self) -> bool:
        return not self.launched or self.exit is not None or time.monotonic() - self.news_at < EAGER_S

    def tend(self) -> None:
        """Raises database errors; everything else that can go wrong ends in a verdict."""
        try:
            self._tend()
        except StaleFence:
            log.warning("attempt %s is no longer ours", self.claim.attempt_id)
            self.stale = True
            self._end_stale()

    def _tend(self) -> None:
        self._collect()
        if self.stale:
            self._end_stale()
        elif not self.launched:
            self._start()
        else:
            if not self.told:
                self._tell_started()
            self._force_if_deaf()
            ended = self.exit is not None or self._has_ended()
            self._store(ended=ended)
            if ended and not self.uploads and not self.events.has_grown() and not self.output.has_grown():
                self._close()

    def _start(self) -> None:
        if self.prepared is None or not self.prepared.done():
            return
        if self.asked_at is not None:
            attempts.close_stopped(self.claim, {})
            self.done = True
            return
        try:
            prepared = self.prepared.result()
        except Exception as error:  # whatever storage or the disk had to say ends this attempt, not the agent
            self._fail_to_prepare(error)
            return
        if prepared.broken:
            attempts.mark_broken(self.claim, prepared.broken)
        try:
            self.claim.spec.write(self.dir / "spec.json")
            (self.dir / "lease").touch()
        except OSError as error:
            self._fail_to_prepare(error)
            return
        assert self.launch is not None  # noqa: S101 - for the type checker
        self.process = self.supervisors.launch(self.dir, self.claim.spec, self.launch, self.claim.secrets)
        self.launched, self.news_at = True, time.monotonic()
        self._tell_started()

    def _fail_to_prepare(self, error: Exception) -> None:
        log.warning("attempt %s could not be prepared", self.claim.attempt_id, exc_info=error)
        if disk.is_full(error):
            self._pause(Full.on_node(self.dir), {})
            return
        if isinstance(error, AifsError):
            why = reason(error.code, error.message, error.hint, **error.data)
        else:
            why = reason(
                "prepare_failed", _("The inputs could not be brought to the node: %(error)s"), error=str(error)[:500]
            )
        attempts.close_failed(self.claim, why, {}, again=not isinstance(error, AifsError))
        self.done = True

    def _tell_started(self) -> None:
        resume_from = self.claim.spec.resume_from
        attempts.mark_started(self.claim, int(resume_from.rpartition("/")[2]) if resume_from else None)
        self.told = True

    # --- following

    def _store(self, *, ended: bool) -> None:
        """Bring new lines into the database; a batch that cannot be stored is split until the bad line is alone."""
        usage = None if ended else self.usage.sample(self._supervisor())
        if not (usage or self.events.has_grown() or self.output.has_grown()):
            return
        now = time.monotonic()
        if not (ended or usage or self.is_eager) and now - self.stored_at < STORE_EVERY_S:
            return
        if self.resync:
            self._reload_offsets()
        skipped = self._skip_backlog()
        event_lines, events_offset = self.events.read()
        if ended and not event_lines:
            events_offset = self.events.size()  # the torn last line of a killed run
        output_lines, output_offset = self.output.read(ended=ended)
        batch = Batch(parse_events(event_lines), skipped + parse_output(output_lines), events_offset, output_offset)
        is_news = (events_offset, output_offset) != (self.events.offset, self.output.offset)
        if usage:
            batch.events.append(usage)
        elif not is_news:
            return
        try:
            store_batch(self.claim, batch)
        except DATABASE_AWAY:
            self.resync = True  # it may or may not have been committed
            raise
        except StaleFence:
            raise
        except Exception:  # a value that PostgreSQL refuses must not stop the rest
            log.exception("a batch of attempt %s could not be stored", self.claim.attempt_id)
            self._store_one_by_one(batch)
        self.events.offset, self.output.offset = events_offset, output_offset
        self.stored_at, self.news_at = now, now if is_news else self.news_at
        for event in batch.events:
            self._note(event)

    def _store_one_by_one(self, batch: Batch) -> None:
        offsets = (batch.events_offset, batch.output_offset)
        parts = [Batch([event], [], *offsets) for event in batch.events] + [
            Batch([], [line], *offsets) for line in batch.output
        ]
        for part in [*parts, Batch([], [], *offsets)]:
            try:
                store_batch(self.claim, part)
            except (StaleFence, *DATABASE_AWAY):
                raise
            except Exception:
                log.exception("left out: %r", part)

    def _reload_offsets(self) -> None:
        row = Attempt.objects.filter(pk=self.claim.attempt_id).values_list("events_offset", "output_offset").first()
        if row:
            self.events.offset, self.output.offset = row
        self.resync = False

    def _skip_backlog(self) -> list[str]:
        behind = self.output.size() - self.output.offset
        if behind <= BACKLOG_BYTES:
            return []
        self.output.offset += behind - BACKLOG_BYTES // 8
        return [
            f"… {behind - BACKLOG_BYTES // 8} bytes of output are only in {self.output.path.name} of the run's folder …"
        ]

    def _note(self, event: dict[str, Any]) -> None:
        if event["type"] == "error":
            self.error = event
        elif event["type"] in ("checkpoint", "artefact"):
            self._upload(event)

    # --- storing what it made

    def _upload(self, event: dict[str, Any]) -> None:
        path = (self.dir / str(event.get("path"))).resolve()
        if not path.is_relative_to(self.dir.resolve()):
            self.refused = reason("path_outside", _("The run announced a file outside its own folder."))
        elif event["type"] == "checkpoint":
            step = int(event["step"])
            work = self.transfers.submit(_with_retries, storage().put_checkpoint, self.claim.job_id, step, path)
            values = event.get("values") or {}
            self.uploads.append(Upload(work, lambda found: self._register_checkpoint(step, found, values), event))
        else:
            work = self.transfers.submit(_with_retries, storage().put_tree, path)
            self.uploads.append(Upload(work, lambda found: self._note_output(event, found), event))

    def _collect(self) -> None:
        """Take in finished transfers, oldest first, so that checkpoints are registered in their order."""
        while self.uploads and self.uploads[0].work.done():
            upload = self.uploads[0]
            error = upload.work.exception()
            if error is None:
                upload.then(upload.work.result())  # raises while the database is away, and is done again then
            else:
                self._upload_failed(error, upload.event)
            self.uploads.pop(0)

    def _register_checkpoint(self, step: int, manifest: dict[str, Any] | None, values: dict[str, float]) -> None:
        if not manifest:
            return  # the run itself has deleted it meanwhile
        superfluous = checkpoints.register_checkpoint(self.claim.attempt_id, self.claim.fence, step, manifest, values)
        checkpoints.mark_deleted(self.claim.job_id, superfluous)
        for old in superfluous:
            self.transfers.submit(storage().delete_checkpoint, self.claim.job_id, old)

    def _note_output(self, event: dict[str, Any], manifest: dict[str, Any] | None) -> None:
        manifest = manifest or {}
        self.outputs[str(event["name"])] = {
            "type": str(event.get("artefact_type")),
            "manifest": manifest,
            "sha256": manifest_sha256(manifest),
            "size_bytes": manifest_size(manifest),
            "meta": event.get("meta") or {},
        }
        attempts.note_outputs(self.claim, self.outputs)

    def _upload_failed(self, error: BaseException, event: dict[str, Any]) -> None:
        """Where there is no space for a checkpoint, hours of work would come to nothing with the result, so the run is
        ended; a checkpoint that is missing for another reason is missed only after a fault."""
        log.error("attempt %s: storing failed", self.claim.attempt_id, exc_info=error)
        if disk.is_full(error):
            self.full = Full.in_storage(self.dir)
            self.unstored |= event["type"] == "artefact"
            self.ask_to_stop(cancel=False)
        elif isinstance(error, AifsError):
            self.refused = reason(error.code, error.message, error.hint, **error.data)
        elif event["type"] == "artefact":
            text = _("The results could not be stored: %(error)s")
            self.refused = reason(STORAGE_FAILED, text, error=str(error)[:500])

    # --- ends

    def ask_to_stop(self, *, cancel: bool) -> None:
        """Ask for a checkpoint and an end. The supervisor kills after the grace; a deaf supervisor is killed from
        here."""
        self.cancelled = self.cancelled or cancel
        if self.asked_at is None:
            self.asked_at = time.monotonic()
            processes.tell(self._supervisor(), signal.SIGTERM)

    def _force_if_deaf(self) -> None:
        if self.asked_at and time.monotonic() - self.asked_at > settings.AIFS_STOP_GRACE_S + FORCE_AFTER_S:
            self.end_by_force()

    def end_by_force(self) -> None:
        processes.end_by_force(self._supervisor(), self.dir)

    def _supervisor(self) -> dict[str, Any] | None:
        return processes.read_json(self.dir / "supervisor.json")

    def _has_ended(self) -> bool:
        """True when the supervisor is gone; its record says how it went, or it was killed and left none."""
        who = self._supervisor()
        if self.process is not None:
            if self.process.poll() is None:
                if self.asked_at and not who:
                    return False
                return self._read_exit()
        elif who is None:
            if processes.new_launch(self.dir) is None:
                return False  # a supervisor holds the directory and is about to write its name
        elif is_alive(who):
            return self._read_exit()
        if not self._read_exit():
            processes.end_by_force(who, self.dir)
            self.exit = {"code": None, "reason": "supervisor_lost"}
            if disk.free_mib(self.dir) == 0:  # it could not write down how the run went
                self.exit = {"code": disk.FULL_EXIT}
        return True

    def _read_exit(self) -> bool:
        self.exit = processes.read_json(self.dir / "exit.json")
        return self.exit is not None

    def _end_stale(self) -> None:
        """Somebody else has the job: end every process, keep nothing."""
        self.stale_at = self.stale_at or time.monotonic()
        processes.tell(self._supervisor(), signal.SIGUSR1)
        if time.monotonic() - self.stale_at > FORCE_AFTER_S:
            self.end_by_force()
        if self.process is not None and self.process.poll() is None and not self._read_exit():
            return
        who = self._supervisor()
        if who is None or not is_alive(who):
            processes.end_by_force(who, self.dir)
            self.done = True

    def _close(self) -> None:
        exit = self.exit or {}
        verdict = judge(
            exit, self.error, asked=self.asked_at is not None, cancelled=self.cancelled, service=self.claim.service
        )
        if verdict.outcome == "paused" or self._waits_for_storage(verdict):
            self._pause(self.full or Full.on_node(self.dir), exit)
            return
        if verdict.outcome == "finish" and self.refused:
            attempts.close_failed(self.claim, self.refused, exit, again=self.refused["code"] == STORAGE_FAILED)
        elif verdict.outcome == "finish":
            attempts.hand_to_finisher(self.claim, self.outputs, exit)
        elif verdict.outcome == "stopped":
            attempts.close_stopped(self.claim, exit)
        else:
            assert verdict.why is not None  # noqa: S101 - for the type checker
            attempts.close_failed(self.claim, verdict.why, exit, again=verdict.again)
        self.done = True
        self.transfers.submit(shutil.rmtree, self.dir / "scratch", ignore_errors=True)

    def _waits_for_storage(self, verdict: Verdict) -> bool:
        if verdict.outcome == "stopped":
            return self.full is not None and not self.cancelled
        return verdict.outcome == "finish" and self.unstored

    def _pause(self, full: Full, exit: dict[str, Any]) -> None:
        """What the attempt left is of no use to the next one, and takes the space that it needs."""
        attempts.close_paused(self.claim.attempt_id, self.claim.fence, full, exit)
        self.done = True
        for name in GIVEN_BACK:
            self.transfers.submit(shutil.rmtree, self.dir / name, ignore_errors=True)


def _at_once(work: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """As an executor would do it, in this thread."""
    future: Future[Any] = Future()
    try:
        future.set_result(work(*arguments))
    except Exception as error:
        future.set_exception(error)
    return future


def _with_retries(work: Callable[..., Any], *arguments: Any) -> Any:
    """Storage may be away for a moment. A folder that is gone is not an error: the run has thrown it away."""
    for attempt in range(UPLOAD_TRIES):
        if isinstance(arguments[-1], Path) and not arguments[-1].exists():
            return None
        try:
            return work(*arguments)
        except AifsError:
            raise
        except OSError as error:
            if attempt == UPLOAD_TRIES - 1 or disk.is_full(error):
                raise
            time.sleep(2**attempt / 2)
    return None
