"""A real engine and a real gateway for tests: instances of a tiny model, the gateway in a thread of this process."""

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.db import connection
from django.utils import timezone

from aifs.embedded.ports import free_port
from apps.core.models import Project
from apps.core.services import register_artefact
from apps.gpucloud.models import Job, JobState
from apps.lms.gateway.__main__ import server
from apps.lms.gateway.config import Config
from apps.lms.models import Deployment, Instance, Model, ModelVersion
from apps.lms.services import snapshot
from tests.workers import tiny

START_S = 60.0


def until(true: Callable[[], Any], within_s: float = 10.0, every_s: float = 0.02) -> Any:
    """Wait for something to become true and return it."""
    deadline = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(every_s)
    return found


@dataclass
class Engine:
    """A running `lms.serve`."""

    process: subprocess.Popen[str]
    directory: Path
    url: str
    key: str

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=self.headers, timeout=30)

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return httpx.post(self.url + path, json=body, headers=self.headers, timeout=60, **options)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """Server and engine at once, as when a machine dies."""
        for pid in [*children(self.process.pid), self.process.pid]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=10)


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


@contextmanager
def serving(directory: Path, model: Path, **params: Any) -> Iterator[Engine]:
    """An instance of a model folder, stopped at the end."""
    given = {"model": "m", "cache_gib": 0.05, **params}
    spec = tiny.write_spec(directory, "lms.serve", given, {"model": ("model_version", model, {})})
    process = tiny.start(spec)
    try:

        def ready() -> Any:
            assert process.poll() is None, (directory / "output.log").read_text()[-2000:]
            return tiny.read_events(directory, "ready")

        url = until(ready, START_S, 0.1)[0]["data"]["url"]
        yield Engine(process, directory, url, (directory / "scratch/serve/instance-key").read_text())
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def make_version(project: Project, name: str = "tiny", number: int = 1, **fields: Any) -> ModelVersion:
    """A model version without files."""
    model, _new = Model.objects.get_or_create(project=project, name=name)
    artefact = register_artefact(project=project, type="model_version", name=f"{name}:{number}", manifest={})
    return ModelVersion.objects.create(
        artefact=artefact, model=model, number=number, **{"format": "safetensors", "family": "llama", **fields}
    )


def make_deployment(
    project: Project, name: str = "helper", engines: list[Engine] | None = None, **fields: Any
) -> Deployment:
    """A deployment whose instances are these engines, known to the gateway."""
    version = fields.pop("model_version", None) or make_version(project, f"{name}-model")
    deployment = Deployment.objects.create(project=project, name=name, model_version=version, **fields)
    for engine in engines or []:
        add_instance(deployment, engine.url, engine.key)
    snapshot.rebuild()
    return deployment


def add_instance(deployment: Deployment, url: str, key: str) -> Instance:
    job = Job.objects.create(
        project=deployment.project, kind="lms.serve", state=JobState.RUNNING, service=True, attempt_count=1,
        params={"runtime": deployment.runtime, "model": str(deployment.model_version_id)},
    )  # fmt: skip
    return Instance.objects.create(
        deployment=deployment, job=job, model_version=deployment.model_version, url=url, key=key, attempt=1,
        runtime="embedded", ready_at=timezone.now(),
    )  # fmt: skip


@dataclass
class Gateway:
    """The gateway, in a thread with an event loop of its own."""

    config: Config
    url: str
    thread: threading.Thread | None = None
    server: Any = None
    keys: dict[str, str] = field(default_factory=dict)

    def start(self) -> "Gateway":
        self.server = server(self.config)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve()), daemon=True)
        self.thread.start()
        until(lambda: self.server.started, 15)
        return self

    def stop(self) -> None:
        self.server.should_exit = True
        assert self.thread is not None
        self.thread.join(timeout=15)

    @property
    def app(self) -> Any:
        return self.server.config.loaded_app

    def client(self, key: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


def database_url() -> str:
    """The URL of the database this test runs in."""
    return settings.DATABASE_URL.rpartition("/")[0] + "/" + connection.settings_dict["NAME"]


def gateway(folder: Path, **changes: Any) -> Gateway:
    """Not started yet."""
    port = free_port()
    given = {
        "host": "127.0.0.1", "port": port, "database_url": database_url(), "web_url": "http://127.0.0.1:9",
        "secret_key": settings.SECRET_KEY, "spool": folder / "spool",
    }  # fmt: skip
    return Gateway(Config(**{**given, **changes}), f"http://127.0.0.1:{port}")
