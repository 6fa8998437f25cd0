"""What the dashboard says of prompts: the stage of published services."""

from django.utils.translation import gettext_lazy as _

from apps.core.dashboard import Stage
from apps.prompts import selectors

STAGES = (
    Stage(
        name="publish",
        label=_("Published services"),
        todo=_("Publish a prompt"),
        text=_("Write a prompt with places to fill, test it, and publish it as a service."),
        icon="message-square-text",
        order=70,
        list_url="prompts:service_list",
        start_url="prompts:prompt_list",
        right="publish",
        kinds=(),
        count=selectors.count_services,
    ),
)
