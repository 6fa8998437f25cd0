"""The parent of all parts: starts them, restarts what dies, stops them in order.

Two processes share this job. The guardian forks the supervisor and forks it again when it is killed; a new supervisor
adopts the parts it finds running. `run/stack.json` says what runs; only the supervisor writes it.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import IO, Any, NoReturn

from aifs.embedded.home import ROOT, Configuration, Home, read_json, write_private
from aifs.embedded.parts import Part, servers, services
from aifs.embedded.processes import ProcessId, kill_group

POLL_S = 0.2
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_S = 30.0
"""A part that has lived this long starts again at once when it dies."""
HOPELESS = 5
"""A part that died this often while the stack starts is reported instead of tried on."""
LOG_MAX_BYTES = 20 << 20
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
RESTART_SIGNAL = signal.SIGUSR1
PR_SET_CHILD_SUBREAPER = 36
SERVERS = {"redis", "postgres"}
BACKLOG = 1024

Listener = socket.socket | None
Listeners = dict[int, socket.socket]


class StartError(Exception):
    """The stack cannot start; the message says why and what to do."""


class Running:
    """One part: its process, and when to start it again. leaving: an old process whose successor is there or coming."""

    def __init__(self, part: Part, home: Home, listener: Listener = None, entry: dict[str, Any] | None = None) -> None:
        self.part = part
        self.home = home
        self.listener = listener
        self.process = recorded_process(entry or {})
        self.leaving = recorded_process({"process": (entry or {}).get("leaving")})
        self.leave_by = float("inf")
        self.exchanging = False
        self.child: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        self.failures = 0
        self.start_at = 0.0
        self.started_at = time.monotonic()
        self.ready = False

    def alive(self) -> bool:
        if self.child is not None and self.child.poll() is not None:
            return False
        return self.process is not None and self.process.alive()

    def start(self) -> None:
        part = self.part
        part.prepare()
        self.home.ready_mark(part.name).unlink(missing_ok=True)
        self.ready = False
        environment = os.environ | part.environment | {"AIFS_HOME": str(self.home.path), "PYTHONUNBUFFERED": "1"}
        environment["AIFS_READY_FILE"] = str(self.home.ready_mark(part.name))
        handed = [self.listener.fileno()] if self.listener else []
        if handed:
            environment["AIFS_LISTEN_FD"] = str(handed[0])
        with open_log(self.home, part.name) as log:
            self.child = subprocess.Popen(
                part.command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, pass_fds=handed,
            )  # fmt: skip
        self.process = ProcessId.of(self.child.pid)
        self.started_at = time.monotonic()

    def tend(self) -> bool:
        """Start the part again when it is dead and its time has come. True when something changed."""
        if self.leaving and self._see_off(self.leaving):
            return True
        if self.alive():
            if self.exchanging and time.monotonic() > self.leave_by and self.process:
                kill_group(self.process.pid)
            return self._notice_ready()
        if self.process is not None:  # it died just now
            kill_group(self.process.pid)
            if self.exchanging:
                self.exchanging = False
                self.start()
                return True
            steady = time.monotonic() - self.started_at > STEADY_S
            self.failures = 1 if steady else self.failures + 1
            self.start_at = time.monotonic() + BACKOFF_S[min(self.failures, len(BACKOFF_S)) - 1]
            self.process, self.ready = None, False
            self.restarts += 1
            print(f"{self.part.name} ended; starting it again", flush=True)
            return True
        if time.monotonic() >= self.start_at:
            self.start()
            return True
        return False

    def _notice_ready(self) -> bool:
        if self.ready:
            return False
        self.ready = self.part.healthy() if self.part.healthy else self.home.ready_mark(self.part.name).exists()
        return self.ready

    def replace(self) -> None:
        """Exchange the process for a new one, which works before the old one is asked to end where that is possible."""
        if self.process is None:
            return
        if self.part.overlaps:
            self.leaving, self.leave_by = self.process, float("inf")
            self.start()
        else:
            self.exchanging, self.leave_by = True, time.monotonic() + self.part.grace_s
            self.process.send(self.part.leave_signal)

    @property
    def settled(self) -> bool:
        return self.ready and not self.exchanging and self.leaving is None

    def _see_off(self, old: ProcessId) -> bool:
        """Ask the old process to end once its successor works; True when it is gone."""
        if not old.alive():
            kill_group(old.pid)
            self.leaving = None
            return True
        if self.ready and self.leave_by == float("inf"):
            self.leave_by = time.monotonic() + self.part.grace_s
            old.send(self.part.leave_signal)
        elif time.monotonic() > self.leave_by:
            kill_group(old.pid)
        return False

    def ask_to_stop(self) -> None:
        for process in (self.process, self.leaving):
            if process is not None:
                process.send(self.part.stop_signal)

    def wait_stopped(self) -> None:
        until = time.monotonic() + self.part.grace_s
        while (self.alive() or (self.leaving and self.leaving.alive())) and time.monotonic() < until:
            time.sleep(0.05)
        for process in (self.process, self.leaving):
            if process is not None:
                kill_group(process.pid)

    def describe(self) -> dict[str, Any]:
        return {
            "process": as_entry(self.process),
            "leaving": as_entry(self.leaving),
            "ready": self.ready,
            "restarts": self.restarts,
        }


class Supervisor:
    """Starts the servers, prepares the database, starts the services, then keeps them all alive."""

    def __init__(self, home: Home, listeners: Listeners) -> None:
        self.home = home
        self.listeners = listeners
        self.running: list[Running] = []
        self.stopping = False
        self.restart_asked = False
        self.rolling: list[Running] = []
        self.phase = "starting"
        self.before = read_json(home.state).get("parts", {})
        self.parents = {"guardian": ProcessId.of(os.getppid()), "supervisor": ProcessId.of(os.getpid())}

    def run(self) -> bool:
        """Supervise until a signal says stop; then everything is stopped. True when the guardian was killed instead:
        the parts run on, for another supervisor to adopt."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        signal.signal(RESTART_SIGNAL, self._on_restart)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        guardian = os.getppid()
        try:
            self._start()
            while not self.stopping:
                if os.getppid() != guardian:
                    return True
                self._tend()
                self._roll()
        except BaseException:
            self._stop()
            raise
        self._stop()
        return False

    def _on_signal(self, *_: object) -> None:
        self.stopping = True

    def _on_restart(self, *_: object) -> None:
        self.restart_asked = True

    def _roll(self) -> None:
        """Exchange the processes of all services, one after the other; PostgreSQL and Redis stay."""
        if self.restart_asked:
            self.restart_asked = False
            self.rolling = [running for running in self.running if running.part.name not in SERVERS]
            self.rolling[0].replace()
        elif self.rolling and self.rolling[0].settled:
            self.rolling.pop(0)
            if self.rolling:
                self.rolling[0].replace()
        else:
            return
        self._record()

    def _start(self) -> None:
        configuration = self._configuration()
        self._add(servers(configuration))
        self._wait_ready(60.0)
        if self.stopping:
            return
        if configuration.postgres:
            configuration.postgres.prepare_database()
        parts = services(configuration)
        if not any(recorded_process(self.before.get(part.name, {})) for part in parts):
            prepare(self.home)
        self._add(parts)
        self._wait_ready(120.0)
        self.phase = "ready"
        self._record()

    def _configuration(self) -> Configuration:
        """`stack.env` completed; parts that still run keep what they run on."""
        running = [name for name, entry in self.before.items() if recorded_process(entry)]
        configuration = Configuration(self.home, running=running)
        configuration.save()
        return configuration

    def _add(self, parts: list[Part]) -> None:
        for part in parts:
            listener = self.listeners.get(part.listens)
            self.running.append(Running(part, self.home, listener, self.before.get(part.name)))

    def _wait_ready(self, timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while not self.stopping and not all(running.ready for running in self.running):
            self._tend()
            for running in self.running:
                if running.failures >= HOPELESS:
                    raise StartError(f"{running.part.name} does not start:\n{log_end(self.home, running.part.name)}")
            if time.monotonic() > until:
                slow = ", ".join(running.part.name for running in self.running if not running.ready)
                raise StartError(f"Not ready after {timeout_s:.0f} s: {slow}. See {self.home.path}/log/.")

    def _tend(self) -> None:
        if any(running.tend() for running in self.running):
            self._record()
        time.sleep(POLL_S)

    def _record(self, error: str = "") -> None:
        # Parts of a killed supervisor stay written down until this one has them.
        parts = self.before | {running.part.name: running.describe() for running in self.running}
        parents = {name: {"process": as_entry(process)} for name, process in self.parents.items()}
        state = {"phase": self.phase, "error": error, "parents": parents, "parts": parts}
        write_private(self.home.state, json.dumps(state, indent=1))

    def _stop(self) -> None:
        """Services first and together, then Redis, then PostgreSQL."""
        error = sys.exc_info()[1]
        self.phase = "stopping"
        self._record()
        last = [running for running in self.running if running.part.name in SERVERS]
        for group in ([r for r in self.running if r not in last], *([r] for r in reversed(last))):
            for running in group:
                running.ask_to_stop()
            for running in group:
                running.wait_stopped()
        stopped = {running.part.name for running in self.running}
        self.before = {name: entry for name, entry in self.before.items() if name not in stopped}
        self.running.clear()
        self.phase = "stopped"
        self._record(str(error) if isinstance(error, StartError) else traceback.format_exc() if error else "")


def prepare(home: Home) -> None:
    """Migrations, static files, the first account: see the management command `prepare`."""
    with open_log(home, "prepare") as log:
        command = [sys.executable, str(ROOT / "manage.py"), "prepare"]
        environment = os.environ | {"AIFS_HOME": str(home.path)}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=log, check=False)
    if done.returncode != 0:
        raise StartError(f"Preparing the database failed:\n{log_end(home, 'prepare')}")


def as_entry(process: ProcessId | None) -> dict[str, int] | None:
    return asdict(process) if process else None


def recorded_process(entry: dict[str, Any]) -> ProcessId | None:
    """The process of an entry of stack.json, if it still lives."""
    recorded = entry.get("process")
    process = ProcessId(recorded["pid"], recorded["started"]) if recorded else None
    return process if process and process.alive() else None


def open_log(home: Home, name: str) -> IO[bytes]:
    """The log of a part, for appending; a long one is put aside first."""
    path = home.log(name)
    if path.exists() and path.stat().st_size > LOG_MAX_BYTES:
        path.replace(path.with_suffix(".log.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    return os.fdopen(descriptor, "ab")


def log_end(home: Home, name: str, size: int = 1500) -> str:
    """The last lines of a log, and where the rest is."""
    return f"{home.log(name).read_text(errors='replace')[-size:]}\n(the whole log: {home.log(name)})"


@contextlib.contextmanager
def held(home: Home) -> Iterator[None]:
    """Hold the lock of the stack; raises BlockingIOError while another parent does."""
    with home.lock.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def is_running(home: Home) -> bool:
    if not home.lock.exists():
        return False
    with home.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def guard(home: Home, supervise: Callable[[Listeners], bool]) -> int:
    """Hold the lock and the listening sockets, and keep a supervisor alive until it ends by itself. Returns its exit
    status."""
    home.make()
    with held(home):
        listeners = open_listeners(home)
        return _keep_supervisor(lambda: supervise(listeners))


def open_listeners(home: Home) -> Listeners:
    """The sockets of the public ports, by port: opened here, so that no connection is refused while a part restarts."""
    found = {}
    for part in services(Configuration(home)):
        if part.listens:
            try:
                found[part.listens] = socket.create_server((part.host, part.listens), backlog=BACKLOG)
            except OSError as error:
                raise StartError(f"Port {part.listens} of {part.name} cannot be opened: {error}") from None
    return found


def _keep_supervisor(supervise: Callable[[], bool]) -> int:
    """Fork the supervisor, again whenever it is killed.

    As subreaper the guardian inherits the parts of a killed supervisor, and collects them when they end. SIGTERM is
    held back around the fork, so that it reaches the one who can act on it.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    supervisor, stopping = 0, False

    def pass_on(*_: object) -> None:
        nonlocal stopping
        stopping = True
        os.kill(supervisor, signal.SIGTERM)

    while True:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        supervisor = os.fork()
        if supervisor == 0:
            _be_supervisor(supervise)
        signal.signal(signal.SIGTERM, pass_on)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        status = _wait_for(supervisor)
        if stopping or not os.WIFSIGNALED(status):
            return os.waitstatus_to_exitcode(status)
        print("the supervisor was killed; starting it again", flush=True)
        time.sleep(0.5)


def _be_supervisor(supervise: Callable[[], bool]) -> NoReturn:
    """Supervise until told to stop. One whose guardian was killed becomes the guardian of a successor."""
    status = 0
    try:
        if supervise():
            print("the guardian was killed; taking its place", flush=True)
            status = _keep_supervisor(supervise)
    except BaseException as error:  # a forked child ends here, whatever happened
        print(error) if isinstance(error, StartError) else traceback.print_exc()
        status = 1
    sys.stdout.flush()
    os._exit(status)


def _wait_for(pid: int) -> int:
    while True:
        ended, status = os.wait()
        if ended == pid:
            return status
