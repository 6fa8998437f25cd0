"""Let a deployment answer rendered messages, for the test bench and the chat page."""

from collections.abc import AsyncIterator
from typing import Any

from apps.core.access import Actor
from apps.core.models import Project
from apps.lms.models import Deployment


def answer(
    actor: Actor, project: Project, deployment: Deployment | None, messages: list[dict], settings: dict
) -> dict[str, Any]:
    raise NotImplementedError


def stream(
    actor: Actor, project: Project, deployment: Deployment | None, messages: list[dict], settings: dict
) -> AsyncIterator[bytes]:
    raise NotImplementedError
