"""`python -m workers.supervise < ORDER`: parent of one running child, and of everything it starts.

Standard library only, and little of it: every run waits for this process. An agent starts one ahead and orders later.

The order is one line of JSON: `directory` (the run's), `launch`, `lease_s`, `grace_s`, `environment` (the child's).
After it come the secrets as one JSON object; the child gets them on a descriptor named in AIFS_SECRETS_FD.

- Takes the run directory for itself (it is used at most once, by the launch that its file `launch` names), writes
  `supervisor.json`, starts the child in a session of its own with its output in `output.log`, and writes `exit.json`
  when nothing of it is left.
- Is subreaper, so that a grandchild that ran away is still its descendant and is killed with the rest.
- SIGTERM asks the child for a checkpoint and an end, and kills after the grace; SIGUSR1 kills at once.
- The agent touches the file `lease`. One lease after its last touch everything is killed: another node may have the
  job.
- Memory is limited by sampling RSS, because RLIMIT_AS breaks CUDA.
"""

import ctypes
import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SAMPLE_S = 0.2
PROCESSES_MAX = 512
OUTPUT_MAX_BYTES = 2 << 30
RESERVED_BYTES = 4096
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
ALREADY_USED = 3

libc = ctypes.CDLL(None)


def main() -> int:
    order = json.loads(sys.stdin.buffer.readline() or b"{}")
    if not order:
        return 0  # a spare whose agent has ended
    directory = Path(order["directory"])
    os.chdir(directory)
    with open("supervisor.log", "ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    lock = os.open("supervisor.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ALREADY_USED
    if os.path.exists("supervisor.json") or read_text(directory / "launch") != order["launch"]:
        return ALREADY_USED
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    secrets = sys.stdin.buffer.read()
    reserve(directory / "exit.json")
    spec = json.loads((directory / "spec.json").read_text())
    write_json(directory / "supervisor.json", identity(os.getpid()))
    return Supervisor(directory, spec, order).run(secrets)


class Supervisor:
    def __init__(self, directory: Path, spec: dict[str, Any], order: dict[str, Any]) -> None:
        self.dir = directory
        self.environment: dict[str, str] = order["environment"]
        self.lease_s, self.grace_s = float(order["lease_s"]), float(order["grace_s"])
        self.memory_mib = int(spec.get("memory_mib") or 0)
        self.timeout_s = float(spec.get("timeout_s") or 0)
        self.child = 0
        self.status: int | None = None
        self.cpu_s = 0.0
        self.peak_mib = 0.0
        self.reason = ""
        self.stop_asked = False
        self.kill_at = float("inf")
        self.touched = (0, time.monotonic())
        self.kernel_kills = kernel_kills()

    def run(self, secrets: bytes) -> int:
        started = time.monotonic()
        self.child = start_child(self.dir, self.environment, secrets)
        while self.status is None:
            received = signal.sigtimedwait(SIGNALS, SAMPLE_S)
            if received and received.si_signo in (signal.SIGTERM, signal.SIGINT):
                self.ask_to_stop()
            elif received and received.si_signo == signal.SIGUSR1:
                self.kill("killed")
            self.reap()
            if self.status is None:
                self.check(time.monotonic(), started)
        self.end_descendants()
        self.write_exit()
        return 0

    def ask_to_stop(self) -> None:
        """The first request is passed on; after the grace the child is killed, stopped (SIGSTOP) or not."""
        if not self.stop_asked:
            self.stop_asked = True
            self.kill_at = time.monotonic() + self.grace_s
            os.kill(self.child, signal.SIGTERM)

    def check(self, now: float, started: float) -> None:
        """One round of the limits. A limit names itself in `exit.json`."""
        processes = family(self.child)
        used_mib = sum(rss_mib(pid) for pid in processes)
        self.peak_mib = max(self.peak_mib, used_mib)
        if now >= self.kill_at:
            self.kill("grace_over")
        elif self.lease_is_stale(now):
            self.kill("stale_lease")
        elif self.memory_mib and used_mib > self.memory_mib:
            self.kill("out_of_memory")
        elif self.timeout_s and now - started > self.timeout_s:
            self.kill("timeout")
        elif len(processes) > PROCESSES_MAX:
            self.kill("too_many_processes")
        elif size(self.dir / "output.log") > OUTPUT_MAX_BYTES:
            self.kill("too_much_output")

    def lease_is_stale(self, now: float) -> bool:
        """True one lease after the last touch, measured by this process's own clock, so a clock jump kills nothing."""
        try:
            touch = os.stat(self.dir / "lease").st_mtime_ns
        except FileNotFoundError:
            touch = self.touched[0]
        if touch != self.touched[0]:
            self.touched = (touch, now)
        return now - self.touched[1] > self.lease_s

    def kill(self, reason: str) -> None:
        """Kill everything under this process, the child included, until nothing is left."""
        self.reason = self.reason or reason
        self.end_descendants()

    def end_descendants(self) -> None:
        """SIGKILL in rounds: what forks while it is being killed is caught by the next round."""
        while processes := descendants(os.getpid()):
            for pid in processes:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.reap()
            time.sleep(0.01)
        self.reap()

    def reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.cpu_s += usage.ru_utime + usage.ru_stime
            if pid == self.child:
                self.status = status
                self.peak_mib = max(self.peak_mib, usage.ru_maxrss / 1024)

    def write_exit(self) -> None:
        code = os.waitstatus_to_exitcode(self.status) if self.status is not None else -signal.SIGKILL
        if not self.reason and code == -signal.SIGKILL and kernel_kills() > self.kernel_kills:
            self.reason = "out_of_memory"
        write_reserved(
            self.dir / "exit.json",
            {
                "code": code,
                "reason": self.reason,
                "stop_asked": self.stop_asked,
                "peak_memory_mib": round(self.peak_mib),
                "memory_limit_mib": self.memory_mib,
                "cpu_s": round(self.cpu_s, 3),
                "ended_at": time.time(),
            },
        )


def start_child(directory: Path, environment: dict[str, str], secrets: bytes) -> int:
    """Fork and become `python -m workers spec.json`. This process has one thread, so forking is safe."""
    readable, writable = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(readable)
        with os.fdopen(writable, "wb") as pipe:
            pipe.write(secrets or b"{}")
        return pid
    try:
        os.setsid()
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        os.close(writable)
        os.set_inheritable(readable, True)
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(directory / "output.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        prefer_to_be_killed()
        os.chdir(directory)
        environment = {**environment, "AIFS_SECRETS_FD": str(readable)}
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        arguments = [sys.executable, "-m", "workers", str(directory / "spec.json"), "--in-place"]
        os.execve(sys.executable, arguments, environment)
    finally:
        os._exit(127)


def prefer_to_be_killed() -> None:
    """When the machine itself runs out of memory, the kernel should take the child, not the supervisor or agent."""
    try:
        Path("/proc/self/oom_score_adj").write_text("500")
    except OSError:
        return


def descendants(root: int) -> list[int]:
    """Every living process under `root`, by reading the whole of /proc; zombies are left out."""
    children: dict[int, list[tuple[int, str]]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = stat_fields(int(entry))
            if fields:
                children.setdefault(int(fields[1]), []).append((int(entry), fields[0]))
    found, waiting = [], [root]
    while waiting:
        for pid, state in children.get(waiting.pop(), []):
            waiting.append(pid)
            if state not in "ZX":
                found.append(pid)
    return found


def family(root: int) -> list[int]:
    """`root` and what it started, cheaply: enough to measure. A process that moves between two reads may be missed."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children") as file:
                    waiting.extend(int(child) for child in file.read().split())
        except OSError:
            continue
    return found


def stat_fields(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name: state, parent, …; the start time is the twentieth."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return []


def rss_mib(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * PAGE_MIB
    except (OSError, IndexError, ValueError):
        return 0.0


def identity(pid: int) -> dict[str, Any]:
    """What tells this process from a later one with the same number."""
    fields = stat_fields(pid)
    return {"pid": pid, "start": fields[19] if fields else "", "boot": boot_id()}


def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def is_alive(who: dict[str, Any]) -> bool:
    """True while the very process that `identity` described runs (a zombie does not)."""
    fields = stat_fields(int(who["pid"]))
    return bool(fields) and fields[0] not in "ZX" and fields[19] == who["start"] and who["boot"] == boot_id()


def kernel_kills() -> int:
    """How often the kernel has killed a process for want of memory since it started."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def read_text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Whole or not at all. Without fsync: after a power cut no process of the run is left to be found either."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value))
    os.replace(temporary, path)


def reserve(path: Path) -> None:
    """Take the space for a small file now, so that it can be written when the disk is full."""
    path.with_suffix(".reserved").write_bytes(b" " * RESERVED_BYTES)


def write_reserved(path: Path, value: dict[str, Any]) -> None:
    """As `write_json`, into the space that was taken: JSON may be followed by blanks."""
    reserved = path.with_suffix(".reserved")
    with open(reserved, "r+b") as file:
        file.write(json.dumps(value).encode())
    os.replace(reserved, path)


if __name__ == "__main__":
    sys.exit(main())
