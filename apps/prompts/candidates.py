"""Versions of prompts in the playground: the last message fills the main input, the rest stands as it was saved."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import InvalidInput, NotFound
from apps.core.models import Project
from apps.core.selectors import as_uuid
from apps.lms.candidates import Candidate
from apps.prompts import running, selectors, templating

PREFIX = "prompt_version"
SHOWN = 60


def candidates(actor: Actor, project: Project) -> Iterable[Candidate]:
    """The newest versions that name a deployment."""
    versions = selectors.list_versions(actor).filter(prompt__project=project, deployment__wanted=True)
    for version in versions.order_by("-pk")[:SHOWN]:
        yield Candidate(f"{PREFIX}:{version.pk}", str(version), str(version.deployment))


def body(actor: Actor, project: Project, key: str, question: dict[str, Any]) -> dict[str, Any]:
    """A question to a version as its deployment is asked: earlier turns stay, the system message of the page is left
    out, since a version has its own. Raises NotFound, or InvalidInput for variables that a chat cannot fill."""
    known = as_uuid(key)
    versions = selectors.list_versions(actor).filter(prompt__project=project)
    version = versions.filter(pk=known).first() if known else None
    if version is None:
        raise NotFound(_("There is no such version of a prompt in this project."))
    turns = [turn for turn in question.get("messages") or [] if isinstance(turn, dict) and turn.get("role") != "system"]
    if not turns:
        raise InvalidInput(_("Expected a JSON object with “messages”."))
    messages = templating.with_conversation(version.messages, version.variables, {}, turns)
    given = {
        name: question[name] for name in ("temperature", "max_tokens", "stream", "stream_options") if name in question
    }
    request = running.request_body(version.deployment, messages, given)
    return request | {name: value for name, value in version.settings.items() if value is not None}
