"""Celery tasks. Each is short."""

from celery import shared_task

from apps.lms.services import reconcile_deployments as reconcile


@shared_task(name="lms.reconcile_deployments")
def reconcile_deployments() -> None:
    """Bring instances to what is wanted."""
    reconcile()
