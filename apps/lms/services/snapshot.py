"""The gateway's snapshot: one row with all it needs to serve, rewritten in the transaction of whatever changed.

The gateway learns of a new version by NOTIFY, which PostgreSQL delivers with the commit, and asks for the version every
few seconds besides. Instance keys and keys of external endpoints are sealed.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from apps.core.sealing import Seal
from apps.core.selectors import list_usable_keys
from apps.lms import selectors
from apps.lms.models import Deployment, GatewaySnapshot, Instance

CHANNEL = "aifs_gateway"

_more_models: list[Callable[[], list[dict[str, Any]]]] = []


def register_models(models: Callable[[], list[dict[str, Any]]]) -> None:
    """Apps above offer further models: [{"name", "project", "deployment", "service", "created"}].

    They ask for a rebuild through `apps.core.key_changes.announce`."""
    if models not in _more_models:
        _more_models.append(models)


@transaction.atomic
def rebuild() -> int:
    """Write the next version; visible, and announced, with the commit. Returns its number."""
    GatewaySnapshot.objects.get_or_create(pk=1)
    snapshot = GatewaySnapshot.objects.select_for_update().get(pk=1)  # one at a time: the last to write sees all
    snapshot.version += 1
    snapshot.body = {
        "keys": _keys(),
        "deployments": [_deployment(deployment) for deployment in _deployments()],
        "prompts": [model for models in _more_models for model in models()],
    }
    snapshot.save()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(snapshot.version)])
    return snapshot.version


def _keys() -> dict[str, Any]:
    """SHA-256 of a key → what it may do."""
    return {
        row["key"].hash: {
            "id": str(row["key"].pk),
            "project": str(row["key"].project_id),
            "rights": row["rights"],
            "expires": row["key"].expires_at.timestamp() if row["key"].expires_at else None,
        }
        for row in list_usable_keys()
    }


def _deployments() -> list[Deployment]:
    return list(selectors.with_instances(Deployment.objects.filter(wanted=True)).order_by("created_at"))


def _deployment(deployment: Deployment) -> dict[str, Any]:
    seal = Seal(settings.SECRET_KEY)
    external = {"url": deployment.external_url, "key": deployment.external_key, "model": deployment.external_model}
    return {
        "id": str(deployment.pk),
        "project": str(deployment.project_id),
        "name": deployment.name,
        "created": int(deployment.created_at.timestamp()),
        "external": external if deployment.external_url else None,
        "instances": [_instance(instance, seal) for instance in selectors.routable(deployment)],
    }


def _instance(instance: Instance, seal: Seal) -> dict[str, Any]:
    return {"id": str(instance.pk), "url": instance.url, "key": seal.close(instance.key)}
