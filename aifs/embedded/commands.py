"""`up`, `down` and `status`: what a person asks of the stack. Messages go to the terminal, errors end with status 1."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

from aifs.embedded.home import PUBLIC_PORTS, ROOT, Configuration, Home, read_json
from aifs.embedded.parent import (
    RESTART_SIGNAL,
    SERVERS,
    StartError,
    Supervisor,
    guard,
    is_running,
    open_log,
    prepare,
    recorded_process,
)
from aifs.embedded.parts import Part
from aifs.embedded.ports import is_taken
from aifs.embedded.processes import ProcessId, kill_group, with_variable
from aifs.embedded.readiness import wait_for_deployments

START_S = 180.0
STOP_S = 90.0


def up(home: Home) -> None:
    """Start the stack in the background, or join one that is starting; return when every part works."""
    home.make()
    began = time.monotonic()
    if not is_running(home):
        stop_leftovers(home)
        check_ports(home)
        home.state.unlink(missing_ok=True)
        launch(home)
    state = wait_until_ready(home)
    print(f"AIFS is up after {time.monotonic() - began:.1f} s: {', '.join(state['parts'])}.")
    access = read_json(home.access)
    wait_for_deployments(home, access)
    print(f"Open {access['url']}; e-mail address, password and API key are in {home.access}.")


def down(home: Home) -> None:
    """Stop every part, PostgreSQL last. Nothing is lost, and running work goes on after the next `up`."""
    if is_running(home):
        entries = read_json(home.state).get("parents", {})
        parents = [
            process for name in ("guardian", "supervisor") if (process := recorded_process(entries.get(name, {})))
        ]
        for process in parents[:1]:
            process.send(signal.SIGTERM)
        until = time.monotonic() + STOP_S
        while is_running(home):
            if time.monotonic() > until:
                raise StartError(f"The stack did not stop within {STOP_S:.0f} s; see {home.log('parent')}.")
            time.sleep(0.1)
        for process in parents:
            _wait_gone(process, 5.0)
        print("AIFS is down.")
    else:
        print("AIFS was not running.")
    stop_leftovers(home)


def status(home: Home) -> None:
    """Print every part with its process and its restarts. Raises StartError when the stack is not up."""
    state = read_json(home.state)
    if not is_running(home):
        raise StartError(f"AIFS is not running in {home.path}.")
    print(f"{home.path}: {state.get('phase')}")
    for name, entry in state.get("parts", {}).items():
        process = recorded_process(entry)
        words = f"pid {process.pid}, {'ready' if entry['ready'] else 'starting'}" if process else "not running"
        print(f"  {name:<10} {words}, {entry['restarts']} restarts")


def restart(home: Home) -> None:
    """Migrate, then exchange every process of AIFS for a new one, one after the other: requests are answered all the
    time, and running work goes on. After an update this is how the new code comes to work."""
    if not is_running(home):
        raise StartError(f"AIFS is not running in {home.path}.")
    began, before = time.monotonic(), read_json(home.state)
    supervisor = recorded_process(before["parents"]["supervisor"])
    if supervisor is None or before.get("phase") != "ready":
        raise StartError(f"The stack is not ready; see {home.path}/log/.")
    prepare(home)
    supervisor.send(RESTART_SIGNAL)
    old = {name: entry["process"] for name, entry in before["parts"].items() if name not in SERVERS}
    while not _exchanged(read_json(home.state)["parts"], old):
        if time.monotonic() - began > START_S or not is_running(home):
            raise StartError(f"Not every part was exchanged within {START_S:.0f} s; see {home.path}/log/.")
        time.sleep(0.2)
    print(f"Restarted after {time.monotonic() - began:.1f} s: {', '.join(old)}.")


def _exchanged(parts: dict[str, Any], old: dict[str, Any]) -> bool:
    return all(
        parts[name]["ready"] and not parts[name].get("leaving") and parts[name]["process"] not in (None, process)
        for name, process in old.items()
    )


def run(home: Home) -> int:
    """The parent itself, in the foreground."""
    return guard(home, lambda listeners: Supervisor(home, listeners).run())


def check_ports(home: Home) -> None:
    """Raise StartError naming the first public port that another program has."""
    configuration = Configuration(home)
    for name in PUBLIC_PORTS:
        if is_taken(configuration.port(name)):
            raise StartError(
                f"Port {configuration.port(name)} ({name}) is taken by another program. "
                f"Stop that program, or choose another port: make up {name}=18{configuration.port(name) % 1000:03d}"
            )


def launch(home: Home) -> None:
    """Start the parent in a session of its own, so that it outlives this terminal."""
    with open_log(home, "parent") as log:
        subprocess.Popen(
            [sys.executable, "-m", "aifs.embedded", "run"], cwd=ROOT, env=os.environ | {"AIFS_HOME": str(home.path)},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def wait_until_ready(home: Home) -> dict[str, Any]:
    """The state once every part works. Raises StartError with the parent's own words when it gave up."""
    began = time.monotonic()
    while time.monotonic() - began < START_S:
        state = read_json(home.state)
        if state.get("phase") == "ready":
            return state
        if state.get("phase") == "stopped" or (time.monotonic() - began > 10 and not is_running(home)):
            raise StartError(state.get("error") or f"The parent ended; see {home.log('parent')}.")
        time.sleep(0.1)
    raise StartError(f"The stack is not ready after {START_S:.0f} s; see {home.path}/log/.")


def stop_leftovers(home: Home) -> None:
    """End parts that outlived their parents, services before servers."""
    parts = {name: recorded_process(entry) for name, entry in read_json(home.state).get("parts", {}).items()}
    living = {name: process for name, process in parts.items() if process}
    for name in sorted(living, key=lambda name: name in {"postgres", "redis"}):
        process = living[name]
        process.send(signal.SIGINT if name == "postgres" else signal.SIGTERM)
        _wait_gone(process, Part.grace_s)
        kill_group(process.pid)
    for orphan in with_variable("AIFS_READY_FILE", f"{home.path}/run/"):  # children of parts that were killed
        orphan.send(signal.SIGKILL)


def _wait_gone(process: ProcessId, timeout_s: float) -> None:
    until = time.monotonic() + timeout_s
    while process.alive() and time.monotonic() < until:
        time.sleep(0.05)
