"""What an app adds to its job kinds on the web side: checks before the start, and what becomes of the results."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import Conflict, NotFound
from apps.core.models import Artefact, Project
from apps.gpucloud.models import Attempt, Checkpoint, Job
from workers.estimates import Estimate
from workers.kinds import Kind, Resources, kinds
from workers.params import Params

REPRODUCED = "-reproduced"
NAME_MAX = 120
STEADY_S = 300
"""An attempt that ran this long was no crash at start."""

REGISTERED: dict[str, "Handler"] = {}


class Handler:
    """One for all kinds of a package: `package` is the part of the kind's name before the dot.

    Subclass it in the app's `jobs.py`, override what differs, and `register` it in `AppConfig.ready`.
    """

    package = ""
    publishes = False
    """True where a checkpoint holds a model."""
    main_output = ""
    """Name of the output that one would use next, where a job makes several."""
    estimated: Collection[str] = ()
    """Kinds that tell what a job will take."""

    def check(self, project: Project, kind: Kind, params: Params, inputs: dict[str, Artefact]) -> None:
        """Refuse what the parameters alone cannot show to be wrong. Raises InvalidInput or Conflict."""

    def resources(self, kind: Kind, params: Params, inputs: dict[str, Artefact]) -> Resources:
        """What a run needs when the caller does not say."""
        return kind.resources

    def estimate(self, kind: Kind, params: Params, inputs: dict[str, Artefact], needs: Resources) -> Estimate:
        """What a job of an `estimated` kind will take. Raises AifsError where that cannot be told."""
        raise NotFound(f"nobody reckons what {kind.name!r} takes")

    def reproduction_params(self, job: Job) -> dict[str, Any]:
        """Parameters in which a reproduction differs from what was recorded: the name under which it keeps what it
        makes, which no run reads."""
        made = next((output for output in job.outputs.values() if output.get("name")), None)
        if made is None or "name" not in kinds.get(job.kind).params.model_fields:
            return {}
        name = str(job.params.get("name") or "") or str(made["name"]).partition(":")[0]
        return {"name": name[: NAME_MAX - len(REPRODUCED)].removesuffix(REPRODUCED) + REPRODUCED}

    def publish(self, actor: Actor, job: Job, checkpoint: Checkpoint, name: str) -> Job:
        """Start the job that makes a model of a checkpoint. Raises Conflict where there is none in it."""
        raise Conflict(_("Checkpoints of this kind of job hold no model."), code="not_publishable", kind=job.kind)

    def secrets(self, job: Job, attempt: Attempt) -> dict[str, str]:
        """What the child may know and nobody else: handed over by file descriptor, never stored."""
        return {}

    def on_event(self, job: Job, attempt: Attempt, event: dict[str, Any]) -> None:
        """Called for every `ready`, `artefact` and `checkpoint` event, in the transaction that stores it."""

    def finish(self, job: Job, attempt: Attempt) -> dict[str, Any]:
        """Register what the run made, from `attempt.outputs` and `attempt.result`.

        Returns {name: {"type", "id", "name", …}} for `job.outputs`. Runs in one transaction under the attempt's fence:
        it either all happens, once, or nothing does. Raises AifsError when the results cannot be accepted.
        """
        return {}

    def was_steady(self, job: Job, attempt: Attempt) -> bool:
        """Whether an attempt that failed had been at its work for a while: no crash at start, so that earlier failures
        are forgiven."""
        return bool(attempt.started_at and timezone.now() - attempt.started_at > timedelta(seconds=STEADY_S))

    def on_requeue(self, job: Job) -> None:
        """Called in the transaction in which the job goes back into the queue: what it offered is gone for now."""

    def on_end(self, job: Job) -> None:
        """Called in the transaction in which the job ends, however it ends."""


def register(handler: Handler) -> None:
    if handler.package in REGISTERED:
        raise ValueError(f"two handlers for {handler.package!r}")
    REGISTERED[handler.package] = handler


def handler_for(kind: str) -> Handler:
    try:
        return REGISTERED[kind.partition(".")[0]]
    except KeyError:
        raise NotFound(f"no handler is registered for the kinds of {kind.partition('.')[0]!r}") from None
