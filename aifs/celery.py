"""The Celery application. Messages carry ids, never objects: the Job row in PostgreSQL is the truth."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

from apps.core.readiness import announce_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aifs.settings")
os.environ.setdefault("SKIP_CHECKS", "1")  # Celery would load every page of the site to check it; `make check` does

app = Celery("aifs")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def _announce(sender: Any, **_: Any) -> None:
    """The agent hosts a consumer too, but is ready only once its node is registered."""
    if str(sender.hostname).startswith("control@"):
        announce_ready()
