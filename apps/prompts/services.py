"""Writes of prompts: names, immutable versions, published services."""

import json
import tempfile
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop as _

from apps.core import key_changes
from apps.core.access import Actor
from apps.core.errors import Conflict, InvalidInput, LimitReached
from apps.core.models import Artefact, Project
from apps.core.services import record_audit, register_artefact
from apps.core.storage import Manifest, storage
from apps.lms.models import Deployment
from apps.prompts import templating
from apps.prompts.models import Prompt, PromptService, PromptVersion
from apps.prompts.selectors import newest_version

NAME_CHARACTERS = 80


def create_prompt(actor: Actor, project: Project, name: str, description: str = "") -> Prompt:
    """Raises Conflict when the name is taken, InvalidInput when it is no name."""
    actor.require("run_simple", project)
    _check_name(name)
    with transaction.atomic():
        try:
            with transaction.atomic():
                prompt = Prompt.objects.create(
                    project=project, name=name, description=description.strip(), created_by=actor.user
                )
        except IntegrityError:
            raise Conflict(_("This project already has a prompt called “%(name)s”."), name=name) from None
        record_audit(actor, "prompt.create", prompt)
    return prompt


@transaction.atomic
def copy_prompt(actor: Actor, project: Project, version: PromptVersion, name: str, description: str = "") -> Prompt:
    """A prompt of the project that begins as a version it may read, its own or shared with it. Where it runs is chosen
    anew: the deployment is the other project's."""
    prompt = create_prompt(actor, project, name, description)
    content = {"messages": version.messages, "variables": version.variables, "settings": version.settings}
    create_version(actor, prompt, **content, source=version.artefact)
    return prompt


def update_prompt(actor: Actor, prompt: Prompt, *, description: str) -> Prompt:
    """A prompt keeps its name: services and files refer to it."""
    actor.require("run_simple", prompt.project)
    with transaction.atomic():
        prompt.description = description.strip()
        prompt.save(update_fields=["description", "updated_at"])
        record_audit(actor, "prompt.update", prompt)
    return prompt


def delete_prompt(actor: Actor, prompt: Prompt) -> None:
    """Delete a prompt with its versions. Raises Conflict while one of them is published."""
    actor.require("run_simple", prompt.project)
    with transaction.atomic():
        published = PromptService.objects.filter(version__prompt=prompt).first()
        if published:
            raise Conflict(
                _("The prompt is published as “%(name)s”."),
                hint=_("Delete the service first; nobody can call it then."),
                name=published.name,
            )
        record_audit(actor, "prompt.delete", prompt)
        Artefact.objects.filter(prompt_version__prompt=prompt).delete()
        prompt.delete()


def create_version(
    actor: Actor,
    prompt: Prompt,
    *,
    messages: Any,
    variables: Any = None,
    deployment: Deployment | None = None,
    settings: Any = None,
    note: str = "",
    source: Artefact | None = None,
) -> PromptVersion:
    """Save what the editor holds as the next version; the newest one is returned when nothing changed. source: the
    version it is a copy of.

    variables None: every variable the messages use becomes a required text. Raises InvalidInput naming what is wrong.
    """
    actor.require("run_simple", prompt.project)
    content = templating.check(messages, variables, settings)
    manifest = _store(content, deployment)
    with transaction.atomic():
        Prompt.objects.select_for_update().get(pk=prompt.pk)
        newest = newest_version(prompt)
        same = newest and (newest.messages, newest.variables, newest.settings) == content
        if newest and same and newest.deployment_id == (deployment.pk if deployment else None):
            return newest
        number = newest.number + 1 if newest else 1
        model = deployment.model_version if deployment else None
        artefact = register_artefact(
            project=prompt.project,
            type="prompt_version",
            name=f"{prompt.name}:{number}",
            manifest=manifest,
            created_by=actor.user,
            parents=({"model": model.artefact} if model else {}) | ({"prompt": source} if source else {}),
        )
        version = PromptVersion.objects.create(
            artefact=artefact,
            prompt=prompt,
            number=number,
            messages=content[0],
            variables=content[1],
            settings=content[2],
            deployment=deployment,
            note=note.strip()[:200],
            created_by=actor.user,
        )
        prompt.save(update_fields=["updated_at"])
        record_audit(actor, "prompt_version.create", version, prompt.project)
    return version


def publish_version(actor: Actor, version: PromptVersion, name: str = "") -> PromptService:
    """Offer a version as model `prompt/<name>`; a service of that name switches to this version.

    Raises InvalidInput without a deployment, Conflict when another project has the name.
    """
    project = version.prompt.project
    actor.require("publish", project)
    name = name or version.prompt.name
    _check_name(name)
    if version.deployment is None:
        raise InvalidInput(
            _("This version names no deployment, so nothing could answer."),
            hint=_("Choose a deployment in the editor and save a new version."),
            errors=[{"field": "deployment", "message": "missing"}],
        )
    with transaction.atomic():
        service = PromptService.objects.select_for_update().filter(name=name).first()
        if service and service.project_id != project.pk:
            raise Conflict(_("The name “%(name)s” is taken. Choose another one."), name=name)
        if service is None:
            service = _create_service(actor, version, name)
        service.version, service.enabled = version, True
        service.save(update_fields=["version", "enabled", "updated_at"])
        record_audit(actor, "prompt_service.publish", service, project, version=version.number)
        key_changes.announce()
    return service


def set_service_enabled(actor: Actor, service: PromptService, enabled: bool) -> PromptService:
    """Take a service off the gateway or put it back; its name and version stay."""
    actor.require("publish", service.project)
    with transaction.atomic():
        PromptService.objects.filter(pk=service.pk).update(enabled=enabled)
        service.enabled = enabled
        record_audit(actor, "prompt_service.enable" if enabled else "prompt_service.disable", service)
        key_changes.announce()
    return service


def delete_service(actor: Actor, service: PromptService) -> None:
    """From now on the gateway does not know the name; the prompt and its versions stay."""
    actor.require("publish", service.project)
    with transaction.atomic():
        record_audit(actor, "prompt_service.delete", service)
        service.delete()
        key_changes.announce()


def rendered_for_gateway(service: PromptService, inputs: dict[str, Any], messages: list[dict]) -> dict[str, Any]:
    """What the gateway sends on: {"deployment", "messages", "settings", "version"}.

    Raises InvalidInput naming a missing variable.
    """
    version = service.version
    return {
        "deployment": version.deployment.name if version.deployment else "",
        "messages": templating.with_conversation(version.messages, version.variables, inputs, messages),
        "settings": version.settings,
        "version": version.number,
    }


def _create_service(actor: Actor, version: PromptVersion, name: str) -> PromptService:
    try:
        with transaction.atomic():
            return PromptService.objects.create(
                project=version.prompt.project, name=name, version=version, created_by=actor.user
            )
    except IntegrityError:
        raise Conflict(_("The name “%(name)s” is taken. Choose another one."), name=name) from None


def _store(content: tuple[list[dict], list[dict], dict], deployment: Deployment | None) -> Manifest:
    """The version as one file in storage, so that its hash says what it holds."""
    body = {
        "messages": content[0],
        "variables": content[1],
        "settings": content[2],
        "deployment": deployment.name if deployment else None,
    }
    text = json.dumps(body, ensure_ascii=False, sort_keys=True)
    if len(text) > 1 << 20:
        raise LimitReached(_("The prompt is larger than 1 MB."))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prompt.json"
        path.write_text(text)
        return storage().put_tree(Path(folder))


def _check_name(name: str) -> None:
    try:
        validate_slug(name)
    except ValidationError:
        bad = True
    else:
        bad = len(name) > NAME_CHARACTERS
    if bad:
        raise InvalidInput(
            _("“%(name)s” is no name: use letters, digits, hyphens and underscores, at most 80."),
            name=name[:100],
            errors=[{"field": "name", "message": "not a name"}],
        )
