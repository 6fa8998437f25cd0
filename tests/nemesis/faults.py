"""The faults that the nemesis applies. Each is a function of the plant and of a number that chooses the victim; it does
its harm, undoes what would not heal by itself, and returns what it did, for the log."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import redis
from celery import Celery

from aifs.embedded.processes import ProcessId
from tests.faults import run_processes
from tests.faults.clients import chat
from tests.faults.clock import NO_COMPILER
from tests.faults.plant import DEPLOYMENT, Plant, becomes
from tests.faults.slow_reader import SlowReader
from tests.servers import ROOT

Fault = Callable[[Plant, float], dict[str, Any]]
FAULTS: dict[str, Fault] = {}
FROZEN_S, LONG_FROZEN_S, FULL_S, STORM_S, HELD_S = 5.0, 20.0, 6.0, 4.0, 5.0
NOTICED_S = 15.0
NOTHING_DONE = frozenset({"failed", "skipped", "nobody", "alone"})
"""Keys of what a fault returns when it found nobody to harm."""
SLOW_READERS, SLOW_S, BILLED_S = 12, 6.0, 30.0
SERVES_S, DEGRADED_S, HEALTHY_S = 90.0, 90.0, 60.0
RACE_S, MIGRATED_S, JUMPED_S = 10.0, 120.0, 20.0
UNMIGRATED = ("gpucloud", "0005")
"""An app, and a migration of it that was followed by indexes only."""


def fault(function: Fault) -> Fault:
    FAULTS[function.__name__] = function
    return function


WATCHERS = {"guardian": "supervisor", "supervisor": "guardian"}
"""They start each other. Nobody is left to start both, so a fault takes one, and the other must be there and awake."""
AWAKE_S, PATIENCE_S = 2.0, 30.0


def _living(plant: Plant, part: str) -> ProcessId | None:
    """The process of a part, which the fault before may have ended only just now."""
    found: ProcessId | None = becomes(lambda: plant.stack.processes().get(part), PATIENCE_S)
    return found


def _watched(plant: Plant, part: str) -> bool:
    if not becomes(lambda: plant.stack.processes().keys() >= {part, WATCHERS[part]}, PATIENCE_S):
        return False
    time.sleep(AWAKE_S)
    return True


def _killer(part: str, number: signal.Signals = signal.SIGKILL) -> None:
    def kill(plant: Plant, choice: float) -> dict[str, Any]:
        if part in WATCHERS and not _watched(plant, part):
            return {"alone": part}
        victim = _living(plant, part)
        if victim is None:
            return {"nobody": part}
        victim.send(number)
        return {"pid": victim.pid, "signal": number.name}

    kill.__name__ = f"kill_{part}"
    fault(kill)


for _part in ("web", "gateway", "scheduler", "control", "agent", "redis", "guardian", "supervisor"):
    _killer(_part)
_killer("postgres", signal.SIGQUIT)  # as pg_ctl stop -m immediate


# --- runs


def _runs(plant: Plant) -> dict[str, list[int]]:
    """Run directory → its processes, supervisor first."""
    found: dict[str, list[int]] = {}
    for pid, run in sorted(run_processes.of_homes([plant.stack.home.path]).items()):
        found.setdefault(run, []).append(pid)
    for pids in found.values():
        pids.sort(key=lambda pid: "workers.supervise" not in run_processes.command(pid))
    return found


def _chosen(plant: Plant, choice: float) -> tuple[str, list[int]]:
    runs = sorted(_runs(plant).items())
    return runs[int(choice * len(runs))] if runs else ("", [])


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@fault
def kill_children(plant: Plant, choice: float) -> dict[str, Any]:
    """The training child, or a serving instance, with all that it started; its supervisor stays."""
    run, pids = _chosen(plant, choice)
    _send(pids[1:], signal.SIGKILL)
    return {"run": run, "pids": pids[1:]}


@fault
def kill_run_supervisor(plant: Plant, choice: float) -> dict[str, Any]:
    run, pids = _chosen(plant, choice)
    _send(pids[:1], signal.SIGKILL)
    return {"run": run, "pids": pids[:1]}


@fault
def kill_whole_node(plant: Plant, choice: float) -> dict[str, Any]:
    """Agent, supervisors and children together, as when the power goes."""
    agent = plant.stack.processes().get("agent")
    pids = [pid for run in _runs(plant).values() for pid in run]
    if agent:
        agent.send(signal.SIGKILL)
    _send(pids, signal.SIGKILL)
    return {"pids": pids}


@fault
def freeze_children(plant: Plant, choice: float) -> dict[str, Any]:
    run, pids = _chosen(plant, choice)
    _send(pids[1:], signal.SIGSTOP)
    time.sleep(FROZEN_S)
    _send(pids[1:], signal.SIGCONT)
    return {"run": run, "pids": pids[1:], "seconds": FROZEN_S}


def _frozen_agent(plant: Plant, seconds: float) -> dict[str, Any]:
    agent = _living(plant, "agent")
    if agent is None:
        return {"nobody": "agent"}
    agent.send(signal.SIGSTOP)
    time.sleep(seconds)
    agent.send(signal.SIGCONT)
    return {"pid": agent.pid, "seconds": seconds}


@fault
def freeze_agent(plant: Plant, choice: float) -> dict[str, Any]:
    """For less than a lease: nothing may be lost."""
    return _frozen_agent(plant, FROZEN_S)


@fault
def freeze_agent_for_long(plant: Plant, choice: float) -> dict[str, Any]:
    """Its runs are taken from it, and it must not touch them when it wakes."""
    return _frozen_agent(plant, LONG_FROZEN_S)


@fault
def spoil_checkpoint(plant: Plant, choice: float) -> dict[str, Any]:
    """The newest checkpoint of a run is cut off in storage, and the run is killed, so that it needs it. Whole again in
    the end if nobody came to read it: what is merely rotten on a disk, the checker cannot tell from a fault of ours."""
    found = plant.rows(
        "SELECT c.job_id::text AS job, c.step, c.manifest FROM gpucloud_checkpoint c"
        " JOIN gpucloud_attempt a ON a.job_id = c.job_id AND a.state = 'running' WHERE c.broken_at IS NULL"
        " AND c.deleted_at IS NULL ORDER BY a.fence DESC, c.step DESC LIMIT 1"
    )
    if not found:
        return {"nobody": "no run has a checkpoint"}
    job, step = found[0]["job"], str(found[0]["step"])
    path = plant.stack.home.path / "storage/checkpoints" / job / step / min(found[0]["manifest"])
    content = path.read_bytes()
    _replace(path, content[:10])
    _send([pid for run, pids in _runs(plant).items() if f"/{job}/" in run for pid in pids[1:]], signal.SIGKILL)
    if not becomes(lambda: not path.exists() or path.read_bytes() != content[:10], NOTICED_S):
        _replace(path, content)
        return {"job": job, "step": step, "nobody": "came to read it"}
    return {"job": job, "step": step}


def _replace(path: Path, content: bytes) -> None:
    """Without touching the run's own copy, which may be the same file."""
    fresh = path.with_name(".spoiled")
    fresh.write_bytes(content)
    fresh.replace(path)


# --- Redis


def _redis_url(plant: Plant) -> str:
    lines = plant.stack.home.stack_env.read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("REDIS_URL="))


@contextlib.contextmanager
def _redis(plant: Plant) -> Iterator[Any]:
    with contextlib.suppress(redis.RedisError), redis.Redis.from_url(_redis_url(plant), socket_timeout=2) as client:
        yield client


@fault
def forget_everything(plant: Plant, choice: float) -> dict[str, Any]:
    with _redis(plant) as client:
        client.flushall()
    return {}


@fault
def storm_of_resets(plant: Plant, choice: float) -> dict[str, Any]:
    cut, until = 0, time.monotonic() + STORM_S
    while time.monotonic() < until:
        with _redis(plant) as client:
            for kind in ("normal", "pubsub"):
                cut += int(client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"))
        time.sleep(0.1)
    return {"cut": cut}


@fault
def redeliver_messages(plant: Plant, choice: float) -> dict[str, Any]:
    """Bells of the newest attempts ring again, whether they have ended or not."""
    rows = plant.rows("SELECT id FROM gpucloud_attempt ORDER BY fence DESC LIMIT 8")
    node = plant.rows("SELECT name FROM gpucloud_node LIMIT 1")[0]["name"]
    bell = Celery("bell", broker=_redis_url(plant), set_as_current=False)
    bell.conf.update(task_ignore_result=True, broker_transport_options={"socket_timeout": 2})
    for row in rows * 2:
        for task, queue in (("attempt_changed", f"node.{node}"), ("finish_attempt", "control")):
            bell.send_task(f"gpucloud.{task}", args=[str(row["id"])], queue=queue, retry=False)
    return {"attempts": len(rows)}


# --- what is served


def _serves(plant: Plant) -> bool:
    """The deployment has come round from the fault before and answers."""
    until = time.monotonic() + SERVES_S
    while time.monotonic() < until:
        with contextlib.suppress(Exception):
            plant.client.deployments.wait(DEPLOYMENT, timeout_s=until - time.monotonic())
            if chat(plant.gateway_url, plant.key, DEPLOYMENT, plant.records) == 200:
                return True
        time.sleep(0.5)
    return False


@fault
def slow_readers(plant: Plant, choice: float) -> dict[str, Any]:
    """Some leave after a while, the others take the rest; others are answered beside them, and each gets one bill."""
    if not _serves(plant):
        return {"nobody": "no stream to be had"}
    leave = 1 + int(choice * (SLOW_READERS - 2))
    readers = [
        SlowReader(plant.gateway_url, plant.key, DEPLOYMENT, plant.records, slow_s=SLOW_S, to_the_end=number >= leave)
        for number in range(SLOW_READERS)
    ]
    for reader in readers:
        reader.start()
    begun = becomes(lambda: all(reader.beginning.is_set() or not reader.is_alive() for reader in readers), 30)
    beside = chat(plant.gateway_url, plant.key, DEPLOYMENT, plant.records)
    for reader in readers:
        reader.join(90)
    ids = [reader.seen.id for reader in readers if reader.seen.id]
    billed = lambda: plant.rows("SELECT response_id FROM lms_usage WHERE response_id = ANY(%s)", ids)  # noqa: E731
    done = {"read": len(ids), "left": leave, "bytes": sum(len(reader.content) for reader in readers)}
    if not begun or len(ids) < SLOW_READERS:
        return done | {"wrong": f"{len(ids)} of {SLOW_READERS} got a stream"}
    if beside != 200:
        return done | {"wrong": f"another client was answered {beside} beside them"}
    if not becomes(lambda: len(billed()) == len(ids), BILLED_S):
        return done | {"wrong": f"{len(billed())} of {len(ids)} were billed within {BILLED_S:.0f} s"}
    return done


@fault
def roll_out_broken_version(plant: Plant, choice: float) -> dict[str, Any]:
    """A new version whose weights are cut off in storage: never routed, degraded, and well again with the old one."""
    if not _serves(plant):
        return {"nobody": "nothing is served"}
    before = _instances(plant)
    old = plant.client.deployments.get(DEPLOYMENT)["model_version"]
    bad = plant.import_model("unloadable", seed=int(choice * 1e6) + 1)
    began = time.monotonic()
    done: dict[str, Any] = {"version": bad}
    try:
        with _cut_off(_weights(plant, bad)):
            plant.client.deployments.update(DEPLOYMENT, model=bad)
            degraded = becomes(lambda: _state(plant) == "degraded", DEGRADED_S)
    finally:
        plant.client.deployments.update(DEPLOYMENT, model=old)
    healthy = becomes(lambda: _state(plant) == "ready" and _instances(plant) == before, HEALTHY_S)
    done["seconds"] = round(time.monotonic() - began, 1)
    routed = plant.rows("SELECT 1 FROM lms_instance WHERE model_version_id = %s AND ready_at IS NOT NULL", bad)
    failed = [failure for failure in plant.records.since(began) if failure.what in ("chat", "stream")]
    wrong = {
        "it did not become degraded": not degraded,
        "the broken version was routed": bool(routed),
        f"{before} served before, {_instances(plant)} after it, {_state(plant)}": not healthy,
        f"clients were not answered: {failed[:3]}": bool(failed),
    }
    found = "; ".join(words for words, is_so in wrong.items() if is_so)
    return done | ({"wrong": found} if found else {})


def _state(plant: Plant) -> str:
    return str(plant.client.deployments.get(DEPLOYMENT)["state"])


def _instances(plant: Plant) -> list[str]:
    """Jobs of those that serve or are about to."""
    rows = plant.rows(
        "SELECT instance.job_id::text AS job FROM lms_instance instance JOIN lms_deployment deployment"
        " ON deployment.id = instance.deployment_id WHERE deployment.name = %s AND instance.stopped_at IS NULL"
        " ORDER BY 1", DEPLOYMENT,
    )  # fmt: skip
    return [row["job"] for row in rows]


def _weights(plant: Plant, version: str) -> Path:
    manifest = plant.rows("SELECT manifest FROM core_artefact WHERE id = %s", version)[0]["manifest"]
    sha256 = next(entry["sha256"] for name, entry in manifest.items() if name.endswith(".safetensors"))
    return plant.stack.home.path / "storage" / "objects" / sha256[:2] / sha256


@contextlib.contextmanager
def _cut_off(path: Path) -> Iterator[None]:
    whole = path.rename(path.with_name(".whole"))
    try:
        path.write_bytes(whole.read_bytes()[:-64])
        yield
    finally:
        whole.replace(path)


# --- the rest


@fault
def cut_database_sessions(plant: Plant, choice: float) -> dict[str, Any]:
    cut = plant.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                     " AND backend_type = 'client backend'")  # fmt: skip
    return {"cut": len(cut)}


@fault
def use_up_connections(plant: Plant, choice: float) -> dict[str, Any]:
    with plant.without_connections() as held:
        time.sleep(HELD_S)
    return {"held": held, "seconds": HELD_S}


@fault
def planned_restart(plant: Plant, choice: float) -> dict[str, Any]:
    done = plant.stack.command("restart")
    return {"status": done.returncode, "said": (done.stdout + done.stderr)[-300:]}


@fault
def second_scheduler(plant: Plant, choice: float) -> dict[str, Any]:
    """For a while two look for the same free places, as when one is exchanged for another."""
    command = [sys.executable, "manage.py", "scheduler"]
    with subprocess.Popen(command, cwd=ROOT, env=plant.stack.environment, stdout=DEVNULL, stderr=DEVNULL) as second:
        try:
            time.sleep(RACE_S)
            ended = second.poll()
        finally:
            second.terminate()
    return {"pid": second.pid, "seconds": RACE_S} if ended is None else {"failed": f"it ended with status {ended}"}


def _manages(plant: Plant, *arguments: str) -> bool:
    with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
        plant.manage(*arguments)
        return True
    return False


@fault
def migrate_back_and_forth(plant: Plant, choice: float) -> dict[str, Any]:
    """What runs knows the database with and without these indexes, and goes on with both."""
    taken_back = _manages(plant, "migrate", *UNMIGRATED)
    if not becomes(lambda: _manages(plant, "migrate"), MIGRATED_S):
        return {"wrong": "the database is not migrated any more"}
    return {"to": UNMIGRATED[-1]} if taken_back else {"failed": f"not migrated to {UNMIGRATED[-1]}"}


@fault
def jump_clock(plant: Plant, choice: float) -> dict[str, Any]:
    """Forth or back by an hour or more, and after longer than a lease to where it was."""
    if plant.clock is None:
        return {"skipped": NO_COMPILER}
    by_s = plant.clock.jump_s * (1 if choice < 0.5 else -1)
    plant.clock.move(by_s)
    try:
        time.sleep(JUMPED_S)
    finally:
        plant.clock.move(-by_s)
    return {"by_s": by_s, "seconds": JUMPED_S}


DISKS = ("runs", "storage", "gateway")
"""Folders of an AIFS_HOME with a small disk of their own, where mounting one is allowed."""


def _filler(folder: str) -> None:
    def fill(plant: Plant, choice: float) -> dict[str, Any]:
        disk = plant.stack.home.path / folder
        if not os.path.ismount(disk):
            return {"skipped": f"{folder}/ has no disk of its own"}
        ballast = disk / ".ballast"
        with ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))
        time.sleep(FULL_S)
        size = ballast.stat().st_size
        ballast.unlink()
        return {"mib": size >> 20, "seconds": FULL_S}

    fill.__name__ = f"fill_{folder}"
    fault(fill)


for _folder in DISKS:
    _filler(_folder)


def wake_all(plant: Plant) -> None:
    """Whatever is still frozen goes on."""
    parts = [process.pid for process in plant.stack.processes().values()]
    _send(parts + [pid for run in _runs(plant).values() for pid in run], signal.SIGCONT)


def as_line(**fields: Any) -> str:
    return json.dumps(fields, default=str)


def append(path: Path, **fields: Any) -> None:
    with path.open("a") as file:
        file.write(as_line(**fields) + "\n")
