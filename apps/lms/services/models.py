"""The model store: names, and versions that never change."""

from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import Conflict
from apps.core.models import Artefact, Project
from apps.core.services import USED_ELSEWHERE, USED_ELSEWHERE_HINT, record_audit, register_artefact
from apps.gpucloud.models import Job, JobInput
from apps.lms.models import Deployment, Evaluation, Model, ModelVersion

FACTS = ("family", "format", "parameters", "dtype", "context_length")


@transaction.atomic
def register_model_version(
    project: Project,
    name: str,
    output: dict[str, Any],
    job: Job | None = None,
    *,
    base: ModelVersion | None = None,
    licence: str = "",
    card: str = "",
    parents: dict[str, Artefact] | None = None,
) -> ModelVersion:
    """Put finished weights into the store as the next version of `name`.

    output: {"type", "manifest", "meta"} as an attempt carries it; meta names family, format, parameters, dtype and
    context_length. parents: what it was made from; the inputs of the job unless given. base: the version it was tuned
    from. A new name takes the licence of its base unless told otherwise.
    """
    maker = job.created_by if job else None
    model, new = Model.objects.get_or_create(project=project, name=name, defaults={"created_by": maker})
    model = Model.objects.select_for_update().get(pk=model.pk)  # versions are counted one at a time
    if licence or new:
        model.licence = licence or (base.model.licence if base else "")
        model.save(update_fields=["licence"])
    number = (model.versions.order_by("-number").values_list("number", flat=True).first() or 0) + 1
    meta = output.get("meta") or {}
    artefact = register_artefact(
        project=project,
        type="model_version",
        name=f"{name}:{number}",
        manifest=output["manifest"],
        job_id=job.pk if job else None,
        created_by=maker,
        meta=meta,
        parents=job_inputs(job) if parents is None else parents,
    )
    facts = {fact: meta[fact] for fact in FACTS if meta.get(fact) is not None}
    facts.setdefault("format", "safetensors")
    return ModelVersion.objects.create(artefact=artefact, model=model, number=number, base=base, card=card, **facts)


def job_inputs(job: Job | None) -> dict[str, Artefact]:
    """Artefacts a job read, by the name of the parameter."""
    return {row.name: row.artefact for row in job.inputs.select_related("artefact")} if job else {}


@transaction.atomic
def update_model(actor: Actor, model: Model, *, description: str | None = None, licence: str | None = None) -> Model:
    actor.require("run_simple", model.project)
    model.description = model.description if description is None else description
    model.licence = model.licence if licence is None else licence
    model.save(update_fields=["description", "licence"])
    record_audit(actor, "model.update", model)
    return model


@transaction.atomic
def update_model_version(actor: Actor, version: ModelVersion, *, card: str) -> ModelVersion:
    """Only the card may change: weights and facts are what they are."""
    actor.require("run_simple", version.model.project)
    version.card = card
    version.save(update_fields=["card"])
    record_audit(actor, "model_version.update", version, version.model.project)
    return version


@transaction.atomic
def delete_model(actor: Actor, model: Model) -> None:
    """Delete a model with versions and evaluations. Raises Conflict while it is deployed or others are made of it."""
    actor.require("run", model.project)
    _check_unused_elsewhere(model)
    deployed = Deployment.objects.filter(model_version__model=model).values_list("name", flat=True)
    if deployed:
        raise Conflict(
            _("The model is used by the deployment “%(deployment)s”."),
            hint=_("Delete the deployment first."),
            deployment=deployed[0],
        )
    record_audit(actor, "model.delete", model)
    versions = ModelVersion.objects.filter(model=model)
    # Evaluations and instances that have ended were about the model and made nothing else.
    about = JobInput.objects.filter(artefact__in=versions.values("pk"), job__kind__in=("lms.evaluate", "lms.serve"))
    about.filter(job__state__in=Job.ENDED).delete()
    try:
        Artefact.objects.filter(pk__in=Evaluation.objects.filter(model_version__in=versions).values("pk")).delete()
        Artefact.objects.filter(pk__in=versions.values("pk")).delete()
    except ProtectedError:
        raise Conflict(
            _("Other work was made from this model, so its record has to stay."),
            hint=_("Delete what was made from it first; the lineage shows it."),
        ) from None
    model.delete()


def _check_unused_elsewhere(model: Model) -> None:
    """What another project did with a version that was shared with it keeps its record; it is not told here."""
    readers = JobInput.objects.filter(artefact__model_version__model=model).exclude(job__project=model.project)
    deployed = Deployment.objects.filter(model_version__model=model).exclude(project=model.project)
    if readers.exists() or deployed.exists():
        raise Conflict(USED_ELSEWHERE, hint=USED_ELSEWHERE_HINT)
