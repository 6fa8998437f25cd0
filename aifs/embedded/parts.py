"""The parts of the stack: how each is started, how it is asked whether it works, how it is stopped."""

import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

from aifs.embedded.home import ROOT, Configuration
from aifs.embedded.ports import LOOPBACK


@dataclass(frozen=True)
class Part:
    """One supervised process.

    healthy: asks the part itself. None: the part touches its AIFS_READY_FILE once it works.
    prepare: run before every start; written files follow the configuration.
    listens: the port of a socket that the parent opens and hands on, so that the part can be replaced unnoticed.
    overlaps: a successor works before the old process is asked to end; else it starts after.
    leave_signal: asks a process to end in favour of a successor.
    """

    name: str
    command: list[str]
    healthy: Callable[[], bool] | None = None
    prepare: Callable[[], None] = lambda: None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 15.0
    environment: dict[str, str] = field(default_factory=dict)
    listens: int = 0
    host: str = LOOPBACK
    overlaps: bool = False
    leave_signal: signal.Signals = signal.SIGTERM


def servers(configuration: Configuration) -> list[Part]:
    """PostgreSQL and Redis, where they are ours. They start first and stop last."""
    parts = []
    if postgres := configuration.postgres:
        postgres.initialise()
        parts.append(Part("postgres", postgres.command(), postgres.healthy, stop_signal=signal.SIGINT, grace_s=30))
    if redis := configuration.redis:
        parts.append(Part("redis", redis.command(), redis.healthy, redis.initialise))
    return parts


def services(configuration: Configuration) -> list[Part]:
    """The processes of AIFS itself; each can also be run by hand with the same command."""
    web, gateway = configuration.port("AIFS_PORT"), configuration.port("AIFS_GATEWAY_PORT")
    host = os.environ.get("AIFS_GATEWAY_HOST") or LOOPBACK
    manage = [sys.executable, str(ROOT / "manage.py")]
    celery = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "aifs.celery",
        "worker",
        "-Q",
        "control",
        "-c",
        "1",
        "-P",
        "threads",
        "-B",
    ]
    celery += ["--hostname", "control@%h", "--schedule", str(configuration.home.path / "run" / "beat")]
    grace_s = float(os.environ.get("AIFS_STOP_GRACE_S") or 10) + 10
    return [
        Part("web", [sys.executable, "-m", "aifs.web"], listens=web, overlaps=True),
        Part("gateway", [sys.executable, "-m", "apps.lms.gateway"], listens=gateway, host=host, overlaps=True),
        Part("scheduler", [*manage, "scheduler"], overlaps=True),
        Part("control", celery),
        Part("agent", [*manage, "agent"], grace_s=grace_s, leave_signal=signal.SIGHUP),
    ]


def answers(port: int, path: str, api_key: str = "") -> bool:
    """Whether a server on loopback answers the path well. Without a key, an answer that asks for one is good too."""
    request = urllib.request.Request(f"http://{LOOPBACK}:{port}{path}")
    if api_key:
        request.add_header("Authorization", f"Bearer {api_key}")
    try:
        # No proxy of the machine stands between us and loopback.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=3):
            return True
    except urllib.error.HTTPError as error:
        return not api_key and error.code < 500
    except OSError:
        return False
