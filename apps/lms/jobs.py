"""What becomes of the results of the `lms.…` kinds."""

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core.errors import InvalidInput
from apps.core.models import Artefact, Project
from apps.core.selectors import upload_facts
from apps.datasets.selectors import facts
from apps.gpucloud.handlers import Handler
from apps.gpucloud.models import Attempt, Job
from apps.lms.models import Instance, ModelVersion
from apps.lms.selectors import model_facts
from apps.lms.services import register_evaluation, register_model_version, snapshot, tell_of_health
from workers.estimates import Estimate
from workers.kinds import Kind, Resources
from workers.lms.estimate import EvaluateParams, ServeParams, of_evaluation, of_import, of_publish, of_serving
from workers.lms.importing import Params as ImportParams
from workers.lms.publish import ADAPTER
from workers.lms.publish import Params as PublishParams
from workers.params import Params

SERVED_S = 30
"""An instance that listened this long had started well."""


class LmsHandler(Handler):
    package = "lms"
    estimated = ("lms.evaluate", "lms.serve", "lms.import", "lms.publish")

    def estimate(self, kind: Kind, params: Params, inputs: dict[str, Artefact], needs: Resources) -> Estimate:
        if isinstance(params, ImportParams):
            return of_import(params, **upload_facts(params.source))
        model = model_facts(inputs["model"])
        if isinstance(params, ServeParams):
            return of_serving(params, model=model)
        if isinstance(params, EvaluateParams):
            benchmark, dataset = (facts(inputs[name]) if name in inputs else None for name in ("benchmark", "dataset"))
            given = {"cpus": needs.cpus, "accelerators": needs.accelerators}
            return of_evaluation(params, model=model, benchmark=benchmark, dataset=dataset, **given)
        if isinstance(params, PublishParams):
            return of_publish(model=model, is_adapter=ADAPTER in inputs["checkpoint"].manifest)
        return super().estimate(kind, params, inputs, needs)

    def check(self, project: Project, kind: Kind, params: Params, inputs: dict[str, Artefact]) -> None:
        """An adapter alone answers nothing: its merged model does."""
        model = inputs.get("model")
        version = ModelVersion.objects.filter(pk=model.pk).first() if model else None
        if version and version.format == "adapter":
            raise InvalidInput(
                _("“%(model)s” is only an adapter."),
                hint=_("Choose the merged model that the same run made."),
                model=str(version),
                errors=[{"field": "model", "message": str(_("Choose the merged model that the same run made."))}],
            )

    def secrets(self, job: Job, attempt: Attempt) -> dict[str, str]:
        key = Instance.objects.filter(job=job).values_list("key", flat=True).first()
        return {"instance_key": key} if key else {}

    def on_event(self, job: Job, attempt: Attempt, event: dict[str, Any]) -> None:
        """An instance says where it listens: the gateway may know."""
        if event.get("type") != "ready":
            return
        data = event.get("data") or {}
        known = Instance.objects.filter(job=job).update(
            attempt=attempt.number, url=str(data.get("url", ""))[:200], runtime=str(data.get("runtime", ""))[:30],
            ready_at=Now(), stopped_at=None,
        )  # fmt: skip
        if known:
            snapshot.rebuild()

    def was_steady(self, job: Job, attempt: Attempt) -> bool:
        """An instance that answered for a while had started well, whatever ended it: it may come back any number of
        times. One that dies with its first requests does not get so far."""
        since = timezone.now() - timedelta(seconds=SERVED_S)
        served = Instance.objects.filter(job=job, attempt=attempt.number, ready_at__lt=since)
        return served.exists() or super().was_steady(job, attempt)

    def on_requeue(self, job: Job) -> None:
        """The instance is gone until its next attempt is ready: nothing may be sent to it."""
        if Instance.objects.filter(job=job).exists():
            snapshot.rebuild()
            answered = Instance.objects.filter(job=job, attempt=job.attempt_count, ready_at__isnull=False)
            if answered.exists():
                tell_of_health(job)

    def on_end(self, job: Job) -> None:
        if Instance.objects.filter(job=job).update(stopped_at=Now()):
            snapshot.rebuild()
            if not job.cancel_requested_at:
                tell_of_health(job)

    def finish(self, job: Job, attempt: Attempt) -> dict[str, Any]:
        """An import becomes a model version, an evaluation its row; outputs of other kinds are registered by name."""
        outputs: dict[str, Any] = {}
        for name, output in attempt.outputs.items():
            if output["type"] == "model_version":
                version = register_model_version(
                    job.project, job.params.get("name") or name, output, job, licence=job.params.get("licence", "")
                )
                named = {"name": version.model.name, "version": version.number}
                outputs[name] = {"type": "model_version", "id": str(version.pk), **named}
            elif output["type"] == "evaluation":
                evaluation = register_evaluation(job, output, {**(output.get("meta") or {}), **attempt.result})
                outputs[name] = {"type": "evaluation", "id": str(evaluation.pk), "name": evaluation.artefact.name}
        return outputs
