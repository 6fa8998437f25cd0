"""What the dashboard says about serving: deployments that need a look, and what was asked this month."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Count, F, Q, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core.access import Actor
from apps.core.dashboard import Concern, Figure
from apps.core.errors import translate
from apps.core.models import Project
from apps.core.templatetags.ui import compact, percent
from apps.lms import selectors
from apps.lms.models import DeploymentState, Usage


def deployment_concerns(actor: Actor, project: Project) -> Iterable[Concern]:
    """Those that should answer and do not, or answer with fewer replicas than wanted."""
    for deployment in selectors.list_deployments(actor).filter(project=project, wanted=True)[:200]:
        state = selectors.state_of(deployment)
        if state in {DeploymentState.FAILED, DeploymentState.DEGRADED}:
            reason = selectors.reason_of(deployment)
            text = translate(reason.get("message", ""), reason.get("data"))
            url = reverse("lms:deployment_detail", args=[project.slug, deployment.name])
            yield Concern(deployment.name, text, url, str(state))


def calls_of_the_month(actor: Actor, project: Project, since: datetime) -> Iterable[Figure]:
    """Calls at the gateway with the share that succeeded, and the tokens they took."""
    actor.require("view", project)
    found = Usage.objects.filter(project=project, at__gte=since).aggregate(
        calls=Count("pk"),
        good=Count("pk", filter=Q(status__lt=400)),
        tokens=Sum(F("prompt_tokens") + F("completion_tokens"), default=0),
        out=Sum("completion_tokens", default=0),
    )
    url = reverse("lms:deployment_list", args=[project.slug])
    good = _("%(share)s succeeded") % {"share": percent(found["good"] / found["calls"])} if found["calls"] else ""
    yield Figure(_("Calls"), compact(found["calls"]), hint=good, url=url)
    out = _("%(count)s of them written") % {"count": compact(found["out"])} if found["tokens"] else ""
    yield Figure(_("Tokens"), compact(found["tokens"]), hint=out, url=url)
