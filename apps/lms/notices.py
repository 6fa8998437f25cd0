"""What people are told of models in use: an evaluation that came out worse, a deployment that lost an instance."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop as marked

EVENTS = (
    (
        "evaluation.regress",
        _("An evaluation comes out worse than that of the version before"),
        marked("%(model)s did worse on %(suite)s than %(before)s."),
        "gauge",
        ("suite",),
    ),
    (
        "deployment.unhealthy",
        _("A deployment of yours loses an instance"),
        marked("The deployment “%(deployment)s” is not well: %(ready)d of %(wanted)d instances answer."),
        "rocket",
    ),
)
