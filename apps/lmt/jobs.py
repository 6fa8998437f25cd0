"""What the web side adds to the kinds `lmt.…`: is the data fit for it, and what becomes of the results."""

from typing import Any

from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import InvalidInput
from apps.core.models import Artefact, Project
from apps.datasets.models import DatasetVersion
from apps.datasets.selectors import facts
from apps.gpucloud.handlers import Handler
from apps.gpucloud.models import Attempt, Checkpoint, Job
from apps.lms.models import ModelVersion
from apps.lms.selectors import model_facts
from apps.lmt import selectors, services
from workers.estimates import Estimate
from workers.kinds import Kind, Resources
from workers.lmt.base import TuningParams
from workers.lmt.estimate import estimate
from workers.params import Params

NEEDED_FORMAT = "messages"


class LmtHandler(Handler):
    package = "lmt"
    publishes = True
    main_output = "model"
    estimated = selectors.run_kinds()

    def check(self, project: Project, kind: Kind, params: Params, inputs: dict[str, Artefact]) -> None:
        """Raises InvalidInput, by field, for data without conversations and for a model that cannot be trained."""
        for field in ("dataset", "eval_dataset"):
            if field in inputs:
                _check_data(field, inputs[field])
        version = ModelVersion.objects.filter(pk=inputs["model"].pk).first()
        if version is None or version.format != "safetensors":
            text = _("Only whole models in safetensors can be tuned; this one is stored as %(format)s.")
            raise wrong("model", text, format=version.format if version else "?")

    def estimate(self, kind: Kind, params: Params, inputs: dict[str, Artefact], needs: Resources) -> Estimate:
        if not isinstance(params, TuningParams):
            return super().estimate(kind, params, inputs, needs)
        return estimate(
            params,
            model=model_facts(inputs["model"]),
            dataset=facts(inputs["dataset"]),
            cpus=needs.cpus,
            accelerators=needs.accelerators,
        )

    def publish(self, actor: Actor, job: Job, checkpoint: Checkpoint, name: str) -> Job:
        return services.publish_checkpoint(actor, job, checkpoint, name)

    def finish(self, job: Job, attempt: Attempt) -> dict[str, Any]:
        return services.register_results(job, attempt)


def _check_data(field: str, artefact: Artefact) -> None:
    version = DatasetVersion.objects.filter(pk=artefact.pk).first()
    if version is None or version.format != NEEDED_FORMAT:
        text = _("“%(dataset)s” holds no conversations but %(format)s; fine-tuning needs questions with answers.")
        raise wrong(field, text, dataset=artefact.name, format=version.format if version else "?")
    if not version.rows:
        raise wrong(field, _("“%(dataset)s” has no rows."), dataset=artefact.name)


def wrong(field: str, message: str, **data: Any) -> InvalidInput:
    """One wrong field, as the form and the API show it."""
    errors = [{"field": field, "message": message, "data": data}]
    return InvalidInput(message, code="unfit_input", errors=errors, **data)
