"""Every write of lms, with its rules and its transaction."""

from apps.lms.services.deployments import (
    create_deployment,
    delete_deployment,
    reconcile_deployments,
    start_deployment,
    stop_deployment,
    tell_of_health,
    update_deployment,
)
from apps.lms.services.evaluations import register_evaluation
from apps.lms.services.models import delete_model, register_model_version, update_model, update_model_version

__all__ = [
    "create_deployment",
    "delete_deployment",
    "delete_model",
    "reconcile_deployments",
    "register_evaluation",
    "register_model_version",
    "start_deployment",
    "stop_deployment",
    "tell_of_health",
    "update_deployment",
    "update_model",
    "update_model_version",
]
