"""What the dashboard says of tuning: the stage of tuned models."""

from django.utils.translation import gettext_lazy as _

from apps.core.dashboard import Stage
from apps.lmt import selectors

STAGES = (
    Stage(
        name="tune",
        label=_("Tuned models"),
        todo=_("Fine-tune a model"),
        text=_("Choose a model and data; what is held out shows whether it learned."),
        icon="sliders-horizontal",
        order=40,
        list_url="lmt:run_list",
        start_url="lmt:run_create",
        right="run_simple",
        kinds=selectors.run_kinds(),
        count=selectors.count_tuned,
    ),
)
