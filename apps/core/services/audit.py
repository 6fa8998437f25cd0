"""Who did what, written in the transaction of the deed."""

from typing import Any

from django.db import models

from apps.core.access import Actor
from apps.core.models import AuditEvent, Project


def record_audit(
    actor: Actor | None, action: str, obj: models.Model | None = None, project: Project | None = None, **data: Any
) -> AuditEvent:
    """Record a deed. action: `noun.verb` (`api_key.revoke`). The project defaults to the object's.

    actor None: the system itself. data must be JSON and must hold no secret.
    """
    if project is None and obj is not None:
        project = obj if isinstance(obj, Project) else getattr(obj, "project", None)
    user = actor.user if actor and actor.is_authenticated else None
    return AuditEvent.objects.create(
        user_id=user.pk if user else None,
        api_key=actor.api_key if actor else None,
        ip=actor.ip if actor else None,
        project=project,
        action=action,
        object_type=obj._meta.model_name or "" if obj is not None else "",
        object_id=str(obj.pk) if obj is not None else "",
        object_name=str(obj)[:200] if obj is not None else "",
        data=data,
    )
