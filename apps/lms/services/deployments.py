"""Deployments: what is wanted is written down here; `reconcile` makes the instances agree with it, again and again."""

import contextlib
import logging
import secrets
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_noop as _

from apps.core.access import RIGHTS, Actor
from apps.core.addresses import refuse_private_url
from apps.core.errors import AifsError, Conflict, InvalidInput
from apps.core.models import Project
from apps.core.sealing import Seal
from apps.core.services import emit, record_audit
from apps.gpucloud.models import Job
from apps.gpucloud.services import request_cancel, submit_job
from apps.lms import selectors
from apps.lms.models import Deployment, Instance, ModelVersion
from apps.lms.services import snapshot
from workers.lms.engines.base import runtimes

log = logging.getLogger(__name__)
EXTERNAL = "openai"
"""Runtime of deployments that are somebody else's endpoint."""
NAME_CHARACTERS = 80
REPLICAS_MAX = 64
OWN_PARAMS = {"model", "served_name", "runtime"}
"""Parameters of an instance that the deployment itself decides."""


class System(Actor):
    """Acts in the name of who wanted a deployment, also after that person has left the project; and for operators."""

    def _look_up(self, project: Project) -> frozenset[str]:
        return frozenset(RIGHTS)


def runtime_names() -> list[str]:
    return ["auto", *runtimes.names(), EXTERNAL]


def create_deployment(
    actor: Actor,
    project: Project,
    name: str,
    model_version: ModelVersion | None = None,
    *,
    runtime: str = "auto",
    replicas: int = 1,
    runtime_params: dict[str, Any] | None = None,
    external_url: str = "",
    external_key: str = "",
    external_model: str = "",
) -> Deployment:
    """Offer a model, or an endpoint elsewhere that speaks OpenAI, under a name at the gateway.

    runtime_params: parameters of `lms.serve`, and `resources`. Raises Conflict when the name is taken, InvalidInput
    naming the wrong field.
    """
    actor.require("deploy", project)
    _check_name(name)
    _check_replicas(replicas)
    external_url = _check_target(model_version, runtime, external_url)
    _check_params(runtime_params or {})
    _check_key(external_key)
    with transaction.atomic():
        try:
            with transaction.atomic():
                deployment = Deployment.objects.create(
                    project=project,
                    name=name,
                    model_version=model_version,
                    runtime=EXTERNAL if external_url else runtime,
                    runtime_params=runtime_params or {},
                    replicas=replicas,
                    external_url=external_url,
                    external_model=external_model,
                    external_key=Seal(settings.SECRET_KEY).close(external_key),
                    created_by=actor.user,
                )
        except IntegrityError:
            raise Conflict(
                _("This project already has a deployment called “%(name)s”."),
                hint=_("Choose another name, or change the existing deployment."),
                name=name,
            ) from None
        record_audit(actor, "deployment.create", deployment)
        reconcile(deployment)
        snapshot.rebuild()
    return deployment


@transaction.atomic
def update_deployment(actor: Actor, deployment: Deployment, **changes: Any) -> Deployment:
    """Change `model_version`, `replicas`, `runtime`, `runtime_params` or the external fields of a deployment.

    Instances of the old settings go once the new ones answer.
    """
    actor.require("deploy", deployment.project)
    known = {"model_version", "replicas", "runtime", "runtime_params", "external_url", "external_key", "external_model"}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise InvalidInput(_("“%(field)s” cannot be changed."), field=unknown[0])
    _check_params(changes.get("runtime_params") or {})
    if "external_key" in changes:
        _check_key(changes["external_key"])
        changes["external_key"] = Seal(settings.SECRET_KEY).close(changes["external_key"])
    deployment = _locked(deployment)
    for field, value in changes.items():
        setattr(deployment, field, value)
    _check_replicas(deployment.replicas)
    deployment.external_url = _check_target(deployment.model_version, deployment.runtime, deployment.external_url)
    deployment.save()
    record_audit(actor, "deployment.update", deployment, fields=sorted(changes))
    reconcile(deployment)
    snapshot.rebuild()
    return deployment


def stop_deployment(actor: Actor, deployment: Deployment) -> Deployment:
    """End its instances and take it off the gateway; it can be started again. Raises Conflict when it is stopped."""
    return _switch(actor, deployment, False, _("This deployment is already stopped."))


def start_deployment(actor: Actor, deployment: Deployment) -> Deployment:
    """Start a stopped deployment, or try a failed one again. Raises Conflict while it runs."""
    return _switch(actor, deployment, True, _("This deployment is already running."))


@transaction.atomic
def _switch(actor: Actor, deployment: Deployment, wanted: bool, already: str) -> Deployment:
    actor.require("deploy", deployment.project)
    deployment = _locked(deployment)
    failed = wanted and deployment.wanted and not deployment.external_url and not selectors.live(deployment)
    if deployment.wanted == wanted and not failed:
        raise Conflict(already)
    deployment.wanted = wanted
    deployment.save(update_fields=["wanted", "updated_at"])
    record_audit(actor, "deployment.start" if wanted else "deployment.stop", deployment)
    reconcile(deployment, again=True)
    snapshot.rebuild()
    return deployment


@transaction.atomic
def delete_deployment(actor: Actor, deployment: Deployment) -> None:
    """Its instances end and its name is free. Raises Conflict while a published prompt needs it."""
    actor.require("deploy", deployment.project)
    deployment = _locked(deployment)
    record_audit(actor, "deployment.delete", deployment)
    for instance in selectors.live(deployment):
        _end(instance)
    try:
        with transaction.atomic():
            deployment.delete()
    except IntegrityError as error:  # ProtectedError: something of another app points at it
        raise Conflict(
            _("A prompt uses this deployment."), hint=_("Give the prompt another deployment first.")
        ) from error
    snapshot.rebuild()


# --- instances follow what is wanted


def reconcile_deployments() -> int:
    """Bring every deployment's instances to what is wanted; called every few seconds. Returns how many changed."""
    changed = 0
    for pk in list(Deployment.objects.filter(external_url="").values_list("pk", flat=True)):
        with transaction.atomic():
            deployment = Deployment.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
            if deployment and _reconcile_one(deployment):
                snapshot.rebuild()
                changed += 1
    return changed


def _reconcile_one(deployment: Deployment) -> bool:
    """One that cannot have what it wants (its model was shared and is not any more) keeps no other from it."""
    try:
        with transaction.atomic():
            return reconcile(deployment)
    except AifsError as error:
        log.warning("deployment %s: %s", deployment.pk, error)
        return False


def reconcile(deployment: Deployment, again: bool = False) -> bool:
    """Start instances that are missing, end those that are too many or of old settings. The caller locks the row.

    again: also when the last instance failed for good; otherwise a failed deployment waits for somebody to act.
    Returns whether anything changed.
    """
    instances = selectors.live(deployment)
    if not deployment.wanted or deployment.external_url:
        for instance in instances:
            _end(instance)
        return bool(instances)
    current = [row for row in instances if selectors.fits(row, deployment) and not row.job.cancel_requested_at]
    missing = deployment.replicas - len(current)
    if missing > 0 and not (again or not selectors.failed_last(deployment)):
        missing = 0
    for _number in range(missing):
        _start(deployment)
    surplus = current[deployment.replicas :]
    if len([row for row in current if selectors.is_ready(row)]) >= deployment.replicas:
        surplus += [row for row in instances if row not in current and not row.job.cancel_requested_at]
    for instance in surplus:
        _end(instance)
    return missing > 0 or bool(surplus)


def tell_of_health(job: Job) -> None:
    """An instance is gone that nobody asked to stop: who made the deployment hears how many answer now."""
    instance = Instance.objects.select_related("deployment__project", "deployment__created_by").get(job=job)
    deployment = instance.deployment
    if deployment.wanted and selectors.fits(instance, deployment):
        ready = len(selectors.routable(deployment))
        emit(
            "deployment.unhealthy", deployment.project, to=[deployment.created_by], deployment=deployment.name,
            ready=ready, wanted=deployment.replicas,
            url=reverse("lms:deployment_detail", args=[deployment.project.slug, deployment.name]),
        )  # fmt: skip


def _start(deployment: Deployment) -> None:
    params = {name: value for name, value in deployment.runtime_params.items() if name != "resources"}
    wrong = sorted(OWN_PARAMS & set(params))
    if wrong:
        raise InvalidInput(_("“%(field)s” is set by the deployment itself."), field=f"runtime_params.{wrong[0]}")
    version = deployment.model_version
    if version is None:
        raise InvalidInput(_("Choose a model to deploy."), field="model")
    job = submit_job(
        System(deployment.created_by),
        deployment.project,
        "lms.serve",
        {**params, "model": str(version.pk), "served_name": deployment.name, "runtime": deployment.runtime},
        name=f"{deployment.name} · {version}",
        resources=deployment.runtime_params.get("resources"),
        service=True,
    )
    Instance.objects.create(deployment=deployment, job=job, model_version=version, key=secrets.token_urlsafe(32))
    _forget(deployment)


def _end(instance: Instance) -> None:
    if instance.job.state in Job.ACTIVE and not instance.job.cancel_requested_at:
        with contextlib.suppress(Conflict):  # it may have ended meanwhile, which is what was wanted
            request_cancel(instance.job)
    Instance.objects.filter(pk=instance.pk).update(stopped_at=Now())
    _forget(instance.deployment)


def _forget(deployment: Deployment) -> None:
    """What was prefetched is out of date."""
    getattr(deployment, "_prefetched_objects_cache", {}).pop("instances", None)


def _locked(deployment: Deployment) -> Deployment:
    return (
        Deployment.objects.select_for_update(of=("self",))
        .select_related("project", "model_version")
        .get(pk=deployment.pk)
    )


# --- checks


def _check_name(name: str) -> None:
    try:
        validate_slug(name)
        bad = len(name) > NAME_CHARACTERS
    except ValidationError:
        bad = True
    if bad:
        raise InvalidInput(
            _("“%(name)s” is no name: use letters, digits, hyphens and underscores, at most 80."),
            name=name[:100],
            field="name",
        )


def _check_replicas(replicas: int) -> None:
    if not 1 <= replicas <= REPLICAS_MAX:
        raise InvalidInput(_("A deployment has 1 to %(most)d replicas."), most=REPLICAS_MAX, field="replicas")


def _check_target(model_version: ModelVersion | None, runtime: str, external_url: str) -> str:
    """Either a model or an address. Returns the address without the trailing slash and `/v1`."""
    if runtime not in runtime_names():
        raise InvalidInput(
            _("There is no runtime “%(runtime)s”; known are: %(known)s."),
            runtime=runtime[:50],
            known=", ".join(runtime_names()),
            field="runtime",
        )
    if external_url:
        if model_version is not None:
            raise InvalidInput(_("Give either a model or the address of an endpoint."), field="external_url")
        refuse_private_url(external_url, settings.AIFS_PRIVATE_HOSTS)
        return external_url.rstrip("/").removesuffix("/v1")
    if runtime == EXTERNAL:
        raise InvalidInput(_("The address of the endpoint is missing."), field="external_url")
    if model_version is None:
        raise InvalidInput(_("Choose a model to deploy."), field="model")
    return ""


def _check_params(params: dict[str, Any]) -> None:
    if not isinstance(params.get("resources") or {}, dict):
        raise InvalidInput(_("“resources” must be an object."), field="runtime_params.resources")


def _check_key(key: str) -> None:
    """It becomes a header of every request to the endpoint."""
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput(_("A key has only letters, digits and signs, and no line breaks."), field="external_key")
