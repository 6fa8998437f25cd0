"""The history checker: from PostgreSQL, storage and the process table it says what a fault has broken, if anything.

Every accepted job ended exactly once; no two executions of one job lived at the same time; every event of a run is in
the records exactly once; artefacts and checkpoints are registered once and whole; the sum of the bills is the sum of
the tokens; no process, lease or file is left behind. It judges what is there, knows nothing of what was done, and loads
no Django: fault tests and the nemesis use the same judge.
"""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from apps.gpucloud.agent.files import parse_events, parse_output
from tests.faults import bytes_kept, run_processes

ENDED = {"succeeded", "failed", "cancelled"}
HOLDING = {"assigned", "preparing", "running"}
ACTIVE = HOLDING | {"finishing"}
CLOSED_BY_AGENT = {"succeeded", "failed", "cancelled"}
MEASURED_BY_AGENT = "device."
"""Series that stand in no file of the run."""
TABLES = {
    "jobs": "SELECT id, kind, state, service, last_seq, attempt_count, outputs FROM gpucloud_job",
    "attempts": "SELECT * FROM gpucloud_attempt ORDER BY job_id, number",
    "leases": "SELECT lease.*, attempt.state, attempt.job_id, attempt.ended_at, attempt.created_at FROM gpucloud_lease"
    " lease JOIN gpucloud_attempt attempt ON attempt.id = lease.attempt_id",
    "events": "SELECT job_id, seq, type, data FROM gpucloud_jobevent ORDER BY job_id, seq",
    "metrics": "SELECT job_id, attempt_id, name, cardinality(steps) AS points, last_seq FROM gpucloud_metricchunk",
    "logs": "SELECT job_id, attempt_id, first_line, lines, last_seq, text FROM gpucloud_logchunk"
    " ORDER BY job_id, first_line",
    "checkpoints": "SELECT * FROM gpucloud_checkpoint",
    "artefacts": "SELECT id, type, name, sha256, manifest, job_id FROM core_artefact",
    "uploads": "SELECT id, sha256 FROM core_upload",
    "usage": "SELECT * FROM lms_usage",
    "restarts": "SELECT object_id FROM core_auditevent WHERE action IN ('job.retry', 'job.resume')",
}


@dataclass(frozen=True)
class Violation:
    rule: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.detail}"


@dataclass
class Answer:
    """What a client got from the gateway. whole: it saw the end; else at least `completion_tokens` reached it."""

    id: str
    completion_tokens: int
    prompt_tokens: int = 0
    whole: bool = True


@dataclass
class History:
    """database_url: of the installation. storage: folder of its storage. homes: every AIFS_HOME, one a node.

    accepted: jobs that a client was told of. answers: what clients got; None when nobody wrote that down. broken: how
    many of their requests ended without an answer that could be read. settled: everything has had time to come to rest,
    so nothing may be on its way.
    """

    database_url: str
    storage: Path
    homes: list[Path]
    accepted: Collection[str] = ()
    answers: Collection[Answer] | None = None
    broken: int = 0
    settled: bool = True
    straight: Callable[[float], float] = float
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def violations(self) -> list[Violation]:
        """Everything that is not as it must be."""
        self.read()
        for row in itertools.chain(*self.rows.values()):
            row |= {name: self.straight(at.timestamp()) for name, at in row.items() if isinstance(at, datetime)}
        return [Violation(rule.__name__.lstrip("_"), *found) for rule in RULES for found in rule(self)]

    def read(self) -> None:
        """All tables as of one moment."""
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self.rows = {name: connection.execute(query).fetchall() for name, query in TABLES.items()}  # type: ignore[call-overload]

    def by_job(self, table: str) -> dict[UUID, list[dict[str, Any]]]:
        found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
        for row in self.rows[table]:
            found[row["job_id"]].append(row)
        return found

    def written(self, attempt: dict[str, Any]) -> tuple[float, float] | None:
        """When the run wrote its first and its last word."""
        events = parse_events(_lines(Path(attempt["run_dir"] or "/nowhere") / "events.jsonl"))
        times = [self.straight(event["t"]) for event in events]
        return (min(times), max(times)) if times else None


Found = Iterable[tuple[str, str]]


def ended_once(history: History) -> Found:
    """Every accepted job is known, and has ended as often as it was started."""
    jobs = {str(job["id"]): job for job in history.rows["jobs"]}
    restarts = Counter(row["object_id"] for row in history.rows["restarts"])
    states = history.by_job("events")
    for id in history.accepted:
        if id not in jobs:
            yield id, "it was accepted, and nobody knows it"
    for id, job in jobs.items():
        said = [row["data"]["state"] for row in states[job["id"]] if row["type"] == "state"]
        ends = sum(state in ENDED for state in said)
        if said and said[-1] != job["state"]:
            yield id, f"it is {job['state']}, and its history ends with {said[-1]}"
        if job["state"] in ENDED and ends != 1 + restarts[id]:
            yield id, f"{ends} ends after {1 + restarts[id]} starts: {said}"
        if job["state"] not in ENDED and (ends != restarts[id] or (history.settled and not job["service"])):
            yield id, f"still {job['state']}, {ends} ends: {said}"


def attempts_in_order(history: History) -> Found:
    """Numbers without a gap, fences that grow, one after the other, and success exactly once."""
    attempts = history.by_job("attempts")
    for job in history.rows["jobs"]:
        rows, id = attempts[job["id"]], str(job["id"])
        if [row["number"] for row in rows] != list(range(1, job["attempt_count"] + 1)):
            yield id, f"attempts {[row['number'] for row in rows]} of {job['attempt_count']}"
        for before, after in itertools.pairwise(rows):
            if before["fence"] >= after["fence"]:
                yield id, f"fence {after['fence']} follows {before['fence']}"
            if before["state"] in ACTIVE or before["ended_at"] > after["created_at"]:
                yield id, f"attempt {after['number']} began before {before['number']} had ended"
        succeeded = sum(row["state"] == "succeeded" for row in rows)
        if succeeded != (job["state"] == "succeeded"):
            yield id, f"{succeeded} successful attempts of a job that is {job['state']}"
        if job["state"] in ENDED and any(row["state"] in ACTIVE for row in rows):
            yield id, "an attempt lives on after the job's end"


def one_execution(history: History) -> Found:
    """By what the runs themselves wrote: none wrote a word after the next attempt had begun to."""
    for job, rows in history.by_job("attempts").items():
        spans = [(row["number"], *span) for row in rows if (span := history.written(row))]
        for (number, _first, last), (later, first, _last) in itertools.pairwise(spans):
            if last > first:
                yield str(job), f"attempt {number} still ran {last - first:.2f} s after {later} had begun"


def leases_returned(history: History) -> Found:
    """What has ended holds nothing, what lives holds its place, and no device was lent to two at the same time."""
    held = {row["attempt_id"] for row in history.rows["leases"] if row["released_at"] is None}
    for row in history.rows["attempts"]:
        if row["id"] in held and row["state"] not in HOLDING:
            yield str(row["job_id"]), f"attempt {row['number']} is {row['state']} and holds a lease"
        if row["id"] not in held and row["state"] in HOLDING:
            yield str(row["job_id"]), f"attempt {row['number']} is {row['state']} and holds nothing"
    devices: dict[Any, list[Any]] = defaultdict(list)
    for row in history.rows["leases"]:
        if row["accelerator_id"]:
            devices[row["accelerator_id"]].append(row)
    for device, rows in devices.items():
        rows.sort(key=lambda row: row["fence"])
        for before, after in itertools.pairwise(rows):
            if before["released_at"] is None or before["released_at"] > after["created_at"]:
                yield str(device), f"lent to {after['job_id']} while {before['job_id']} had it"


def sequence(history: History) -> Found:
    """Numbers of a job's history are used once and never pass `last_seq`; log lines are counted without a gap."""
    for name in ("events", "metrics", "logs"):
        for job, rows in history.by_job(name).items():
            newest = next(row["last_seq"] for row in history.rows["jobs"] if row["id"] == job)
            numbers = [row.get("seq") or row.get("last_seq") for row in rows]
            if numbers and max(numbers) > newest:
                yield str(job), f"{name} go to {max(numbers)}, the job to {newest}"
            if name == "events" and len(numbers) != len(set(numbers)):
                yield str(job), "a sequence number is used twice"
    for job, chunks in history.by_job("logs").items():
        line = 1
        for chunk in chunks:
            if chunk["first_line"] != line or chunk["text"].count("\n") != chunk["lines"]:
                yield str(job), f"the log has a gap at line {line}"
            line = chunk["first_line"] + chunk["lines"]


def events_kept(history: History) -> Found:
    """What a run wrote, up to where the agent says it has read, stands in the records exactly once; and an attempt that
    its agent closed was read to the end."""
    points: Counter[Any] = Counter()
    lines: Counter[Any] = Counter()
    for row in history.rows["metrics"]:
        if row["name"].startswith(MEASURED_BY_AGENT):
            continue
        points[row["attempt_id"]] += row["points"]
    for row in history.rows["logs"]:
        lines[row["attempt_id"]] += row["lines"]
    for row in history.rows["attempts"]:
        run_dir, name = Path(row["run_dir"] or "/nowhere"), f"{row['job_id']} attempt {row['number']}"
        written = _lines(run_dir / "events.jsonl")
        if not written:
            continue
        numbers = [event.get("seq") for event in parse_events(written)]
        if numbers != list(range(1, len(numbers) + 1)):
            yield name, "the run's own numbers have a gap"
        if row["state"] in CLOSED_BY_AGENT and row["events_offset"] < sum(len(line) + 1 for line in written):
            yield name, f"read to byte {row['events_offset']} only"
        read = parse_events(_lines(run_dir / "events.jsonl", row["events_offset"]))
        told = sum(_points(event) for event in read if event["type"] == "metric")
        logged = sum(event["type"] == "log" for event in read)
        logged += len(parse_output(_lines(run_dir / "output.log", row["output_offset"], torn=True)))
        if told != points[row["id"]]:
            yield name, f"{told} points were written, {points[row['id']]} are kept"
        if logged != lines[row["id"]]:
            yield name, f"{logged} log lines were written, {lines[row['id']]} are kept"


def _points(event: dict[str, Any]) -> int:
    return sum(not name.startswith(MEASURED_BY_AGENT) for name in event.get("values") or {})


def _lines(path: Path, until: int | None = None, *, torn: bool = False) -> list[bytes]:
    """Whole lines of a file up to a byte; torn: also a last one without its end."""
    try:
        content = path.read_bytes()[:until]
    except FileNotFoundError:
        return []
    lines = content.split(b"\n")
    return lines if torn else lines[:-1]


def artefacts_whole(history: History) -> Found:
    """What a job made is registered once, only when it succeeded, and every byte of it is in storage."""
    made = history.by_job("artefacts")
    for job in history.rows["jobs"]:
        registered = {str(row["id"]) for row in made[job["id"]]}
        named = {str(output["id"]) for output in job["outputs"].values()}
        if registered != named:
            yield str(job["id"]), f"{len(registered)} artefacts are registered, {len(named)} are its outputs"
        if registered and job["state"] != "succeeded":
            yield str(job["id"]), f"it is {job['state']} and has artefacts"
    for artefact in history.rows["artefacts"]:
        if bytes_kept.manifest_sha256(artefact["manifest"]) != artefact["sha256"]:
            yield f"{artefact['type']} {artefact['id']}", "its hash is not that of its manifest"
        for name, entry in artefact["manifest"].items():
            path = bytes_kept.object_path(history.storage, entry["sha256"])
            if problem := bytes_kept.damage(path, entry):
                yield f"{artefact['type']} {artefact['id']}", f"{name} {problem}"


def checkpoints_whole(history: History) -> Found:
    """Every checkpoint that counts is whole in storage, and storage holds no other."""
    live = {}
    for row in history.rows["checkpoints"]:
        if row["deleted_at"] is None and row["broken_at"] is None:
            live[str(row["job_id"]), str(row["step"])] = row
    for (job, step), row in live.items():
        for name, entry in row["manifest"].items():
            if problem := bytes_kept.damage(history.storage / "checkpoints" / job / step / name, entry):
                yield job, f"checkpoint {step}: {name} {problem}"
    if history.settled:
        broken = {(str(row["job_id"]), str(row["step"])) for row in history.rows["checkpoints"] if row["broken_at"]}
        for path in (history.storage / "checkpoints").glob("*/*"):
            if (path.parent.name, path.name) not in live.keys() | broken:
                yield path.parent.name, f"checkpoint {path.name} lies in storage and is in no record"


def nothing_half_written(history: History) -> Found:
    """No temporary file is left once all is at rest, and no part of an upload that is whole or gone."""
    if history.settled:
        for path in (history.storage / "tmp").glob("*"):
            yield str(path), "a temporary file is left"
    unfinished = {str(row["id"]) for row in history.rows["uploads"] if not row["sha256"]}
    for home in {history.storage.parent, *history.homes}:
        for path in (home / "storage" / "uploads").glob("*.part"):
            if path.stem not in unfinished:
                yield str(path), "a part of an upload that is whole or gone"


def processes_wanted(history: History) -> Found:
    """Every process of a run belongs to an attempt that lives, and no job has two."""
    wanted = {row["run_dir"] for row in history.rows["attempts"] if row["state"] in HOLDING}
    found: dict[str, set[str]] = defaultdict(set)
    for pid, run in run_processes.of_homes(history.homes).items():
        job, _slash, number = run.rpartition("/")
        found[job].add(number)
        if run not in wanted:
            yield run, f"process {pid} ({run_processes.command(pid)}) belongs to no living attempt"
    for job, numbers in found.items():
        if len(numbers) > 1:
            yield job, f"attempts {sorted(numbers)} live at the same time"


def bills(history: History) -> Found:
    """Every answer is billed once with what it says of itself; what a client did not see to its end, with no less than
    it got; and nothing is billed that nobody asked for."""
    ledger = {row["response_id"]: row for row in history.rows["usage"]}
    waiting = {}
    for home in history.homes:
        for path in (home / "gateway").glob("*/*.jsonl"):
            for record in map(json.loads, _lines(path)):
                if record["kind"] == "usage" and record["response_id"] not in ledger:
                    waiting[record["response_id"]] = record
    if history.settled:
        yield from ((id, "it waits in the spool although the ledger can be had") for id in waiting)
    if history.answers is None:
        return
    billed, seen = ledger | waiting, {answer.id for answer in history.answers}
    yield from ((id, "two answers have this number") for id, n in _repeated(history.answers) if n > 1)
    for answer in history.answers:
        bill = billed.get(answer.id)
        if bill is None:
            yield answer.id, f"{answer.completion_tokens} tokens were delivered and not billed"
        elif answer.whole and (bill["prompt_tokens"], bill["completion_tokens"]) != (
            answer.prompt_tokens,
            answer.completion_tokens,
        ):
            yield answer.id, f"said {answer.completion_tokens} tokens, billed {bill['completion_tokens']}"
        elif bill["completion_tokens"] < answer.completion_tokens:
            yield answer.id, f"got {answer.completion_tokens} tokens, billed {bill['completion_tokens']}"
    nobodys = [id for id, row in billed.items() if id not in seen and row["completion_tokens"]]
    if len(nobodys) > history.broken:
        yield "ledger", f"{len(nobodys)} bills for answers nobody got; only {history.broken} requests broke: {nobodys}"
    whole = [answer for answer in history.answers if answer.whole and answer.id in billed]
    tokens = sum(answer.prompt_tokens + answer.completion_tokens for answer in whole)
    paid = sum(billed[answer.id]["prompt_tokens"] + billed[answer.id]["completion_tokens"] for answer in whole)
    if tokens != paid:
        yield "ledger", f"{tokens} tokens were answered, {paid} billed"


def _repeated(answers: Iterable[Answer]) -> Iterable[tuple[str, int]]:
    return Counter(answer.id for answer in answers).items()


RULES: list[Callable[[History], Found]] = [
    ended_once, attempts_in_order, one_execution, leases_returned, sequence, events_kept, artefacts_whole,
    checkpoints_whole, nothing_half_written, processes_wanted, bills,
]  # fmt: skip
