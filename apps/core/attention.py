"""What core itself thinks needs a look."""

from collections.abc import Iterable
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core import selectors
from apps.core.access import Actor
from apps.core.dashboard import Concern
from apps.core.models import Project

SOON = timedelta(days=7)


def key_concerns(actor: Actor, project: Project) -> Iterable[Concern]:
    """API keys the actor may see that stop working within a week, or did so in the last one."""
    now = timezone.now()
    keys = selectors.list_api_keys(actor, project).filter(
        revoked_at__isnull=True, expires_at__gt=now - SOON, expires_at__lt=now + SOON
    )
    url = reverse("core:settings_keys", args=[project.slug])
    for key in keys.order_by("expires_at")[:5]:
        text = _("It stopped working.") if key.is_expired else _("It stops working within a week.")
        yield Concern(
            _("API key “%(name)s”") % {"name": key.name}, text, url, "expired" if key.is_expired else "active"
        )
