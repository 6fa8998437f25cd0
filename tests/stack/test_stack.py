"""The embedded stack as a user meets it: up, down, killed in part and in whole, two at a time."""

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.plant import Plant
from tests.stack.stacks import Stack

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]
PARTS = ("postgres", "redis", "web", "gateway", "scheduler", "control", "agent")
ACCESS = {"url", "gateway_url", "grpc_url", "username", "password", "api_key", "project"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack"))
    stack.up()
    yield stack
    stack.down()
    assert not left_over(stack)


def left_over(stack: Stack) -> list[str]:
    """Command lines of processes that still belong to the stack."""
    mark, found = str(stack.home.path), []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and (
                mark in " ".join(process.cmdline()) or process.environ().get("AIFS_HOME") == mark
            ):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_up_gives_access(stack: Stack) -> None:
    assert set(stack.access) == ACCESS
    assert stat.S_IMODE(stack.home.access.stat().st_mode) == 0o600
    assert stat.S_IMODE(stack.home.stack_env.stat().st_mode) == 0o600
    assert stat.S_IMODE(stack.home.path.stat().st_mode) == 0o700
    projects = stack.get("/api/v1/projects/")["results"]
    assert [project["slug"] for project in projects] == [stack.access["project"]]


def test_up_again_joins(stack: Stack) -> None:
    before = stack.processes()
    stack.up()
    assert stack.processes() == before


def test_everything_listens_on_loopback(stack: Stack) -> None:
    listening = set()
    for process in stack.processes().values():
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for member in family:
            listening |= {c.laddr.ip for c in member.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


def test_secrets_stay_in_their_files(stack: Stack) -> None:
    secrets = stack.secrets()
    assert len({*secrets}) == 5
    assert all(len(secret) >= 20 for secret in secrets)
    logs = "".join(path.read_text(errors="replace") for path in stack.home.path.glob("log/*"))
    lines = [" ".join(psutil.Process(process.pid).cmdline()) for process in stack.processes().values()]
    for secret in secrets:
        assert secret not in logs
        assert not any(secret in line for line in lines)


def test_a_taken_port_is_named(stack: Stack, tmp_path: Path) -> None:
    other = Stack(tmp_path / "other", AIFS_PORT=stack.environment["AIFS_PORT"])
    done = other.command("up")
    assert done.returncode == 1
    assert f"Port {stack.environment['AIFS_PORT']} (AIFS_PORT) is taken" in done.stderr
    assert not left_over(other)


def test_two_stacks_side_by_side(stack: Stack, plant: Plant) -> None:
    """Whatever is done to this one here leaves the other as it was."""
    other = plant.stack
    assert other.access["api_key"] != stack.access["api_key"]
    assert other.get("/api/v1/projects/")["results"][0]["id"] != stack.get("/api/v1/projects/")["results"][0]["id"]


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_comes_back(stack: Stack, part: str) -> None:
    stack.wait_for_others(stack.kill(part))
    assert stack.get("/api/v1/projects/")["results"]


@pytest.mark.parametrize("parent", ["guardian", "supervisor"])
def test_parts_outlive_a_killed_parent(stack: Stack, parent: str) -> None:
    before = {name: process for name, process in stack.processes().items() if name in PARTS}
    killed = stack.kill(parent)
    if parent == "supervisor":
        stack.wait_for_others(killed)
    assert {name: process for name, process in stack.processes().items() if name in PARTS} == before
    stack.wait_for_others(stack.kill("web"))


def test_up_after_everything_was_killed(stack: Stack) -> None:
    access = stack.access
    stack.kill("guardian", *(["supervisor"] if "supervisor" in stack.processes() else []))
    for process in stack.processes().values():
        process.send(signal.SIGKILL)
    stack.up()
    assert set(stack.processes()) >= set(PARTS)
    assert stack.access == access
    assert len([line for line in left_over(stack) if "celery" in line]) == 2  # the control queue and its beat


def test_status_says_what_runs(stack: Stack, tmp_path: Path) -> None:
    assert all(part in stack.command("status").stdout for part in PARTS)
    nothing = Stack(tmp_path / "nothing").command("status")
    assert nothing.returncode == 1
    assert "is not running" in nothing.stderr


def test_a_lost_access_file_is_made_anew(stack: Stack, plant: Plant) -> None:
    """And nothing else: `down` has left no process, and what was there before is there again."""
    access, project, others = stack.access, stack.get("/api/v1/projects/")["results"][0], plant.stack.processes()
    stack.down()
    assert not left_over(stack)
    stack.home.access.unlink()
    stack.up()
    assert stack.access["password"] != access["password"]
    assert stack.get("/api/v1/projects/")["results"][0] == project
    assert plant.stack.processes() == others
