"""A whole stack of its own for a test: another AIFS_HOME, other ports, started and stopped as a user would."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from aifs.embedded.home import Home
from aifs.embedded.parent import recorded_process
from aifs.embedded.ports import free_port
from aifs.embedded.processes import ProcessId
from tests.servers import ROOT

PORTS = ("AIFS_PORT", "AIFS_GATEWAY_PORT", "AIFS_GRPC_PORT")
OF_THE_TESTS = ("DATABASE_URL", "REDIS_URL", "STORAGE_URL", "SECRET_KEY", "DJANGO_SETTINGS_MODULE", "AIFS_NODE_NAME")


class Stack:
    def __init__(self, path: Path, **environment: str) -> None:
        self.home = Home(path)
        ports = {name: str(free_port()) for name in PORTS}
        inherited = {name: value for name, value in os.environ.items() if name not in OF_THE_TESTS}
        self.environment = inherited | ports | environment | {"AIFS_HOME": str(path)}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m aifs.embedded …`, as `make` calls it."""
        return subprocess.run(
            [sys.executable, "-m", "aifs.embedded", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    def up(self) -> None:
        done = self.command("up")
        assert done.returncode == 0, done.stderr + done.stdout

    def down(self) -> None:
        done = self.command("down")
        assert done.returncode == 0, done.stderr + done.stdout

    @property
    def state(self) -> dict[str, Any]:
        return json.loads(self.home.state.read_text())

    @property
    def access(self) -> dict[str, Any]:
        return json.loads(self.home.access.read_text())

    def processes(self) -> dict[str, ProcessId]:
        """Parts and parents that live now."""
        entries = self.state["parts"] | self.state["parents"]
        found = {name: recorded_process(entry) for name, entry in entries.items()}
        return {name: process for name, process in found.items() if process}

    def kill(self, *names: str) -> dict[str, ProcessId]:
        """kill -9; returns who was killed."""
        victims = {name: process for name, process in self.processes().items() if name in names}
        assert set(victims) == set(names)
        for process in victims.values():
            process.send(signal.SIGKILL)
        return victims

    def wait_for_others(self, killed: dict[str, ProcessId], timeout_s: float = 60.0) -> None:
        """Until every killed process has a ready successor."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            now, parts = self.processes(), self.state["parts"]
            back = {name for name in killed if name in now and now[name] != killed[name]}
            if back == set(killed) and all(entry["ready"] for entry in parts.values()):
                return
            time.sleep(0.2)
        raise AssertionError(f"not back after {timeout_s} s: {self.command('status').stdout}")

    def get(self, path: str) -> Any:
        """JSON of the web process, asked with the operator's key."""
        request = urllib.request.Request(self.access["url"] + path)  # noqa: S310 - our own address
        request.add_header("Authorization", f"Bearer {self.access['api_key']}")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return json.loads(answer.read())

    def secrets(self) -> list[str]:
        """Every secret of this stack."""
        values = dict(line.split("=", 1) for line in self.home.stack_env.read_text().splitlines() if "=" in line)
        passwords = [values[name].split("@")[0].rpartition(":")[2] for name in ("DATABASE_URL", "REDIS_URL")]
        return [values["SECRET_KEY"], *passwords, self.access["password"], self.access["api_key"]]
