"""Deployments that need a look."""

from collections.abc import Iterable

from django.urls import reverse

from apps.core.access import Actor
from apps.core.dashboard import Concern
from apps.core.errors import translate
from apps.core.models import Project
from apps.lms import selectors
from apps.lms.models import DeploymentState


def deployment_concerns(actor: Actor, project: Project) -> Iterable[Concern]:
    """Those that should answer and do not, or answer with fewer replicas than wanted."""
    for deployment in selectors.list_deployments(actor).filter(project=project, wanted=True)[:200]:
        state = selectors.state_of(deployment)
        if state in {DeploymentState.FAILED, DeploymentState.DEGRADED}:
            reason = selectors.reason_of(deployment)
            text = translate(reason.get("message", ""), reason.get("data"))
            url = reverse("lms:deployment_detail", args=[project.slug, deployment.name])
            yield Concern(deployment.name, text, url, str(state))
