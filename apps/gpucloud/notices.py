"""What people are told of jobs: who cancels one knows, and a serving instance is its deployment's."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop as marked

EVENTS = (
    (
        "job.succeeded",
        _("A job of yours succeeds"),
        marked("The job “%(job)s” has succeeded."),
        "circle-check",
        ("job",),
    ),
    ("job.failed", _("A job of yours fails"), marked("The job “%(job)s” has failed."), "circle-alert", ("job",)),
)
