"""A gateway in a thread of this process, and the rows it needs to know real engines."""

import asyncio
import threading
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
from tests.workers.instances import Engine, until


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
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=False)  # noqa: S501 - plain HTTP


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
