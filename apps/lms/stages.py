"""What the dashboard says of models: its stages from an evaluated to a deployed one."""

from django.utils.translation import gettext_lazy as _

from apps.core.dashboard import Stage
from apps.lms import selectors

STAGES = (
    Stage(
        name="evaluate",
        label=_("Evaluations"),
        todo=_("Evaluate it"),
        text=_("Measure a model before and after tuning to see what the tuning was worth."),
        icon="gauge",
        order=50,
        list_url="lms:evaluation_list",
        start_url="lms:evaluation_create",
        right="run_simple",
        kinds=("lms.evaluate",),
        count=selectors.count_evaluations,
    ),
    Stage(
        name="deploy",
        label=_("Deployments"),
        todo=_("Deploy a model"),
        text=_("Give a model a name; it answers at the gateway as soon as it is loaded."),
        icon="rocket",
        order=60,
        list_url="lms:deployment_list",
        start_url="lms:deployment_create",
        right="deploy",
        kinds=(),
        count=selectors.count_deployments,
    ),
)
