"""Every write of gpucloud, with its rules and its transaction."""

from apps.gpucloud.services.checkpoints import publish_checkpoint
from apps.gpucloud.services.jobs import (
    cancel_job,
    cancel_jobs,
    clone_job,
    request_cancel,
    resume_job,
    retry_job,
    submit_job,
    update_job,
)
from apps.gpucloud.services.reproducing import reproduce_job

__all__ = [
    "cancel_job",
    "cancel_jobs",
    "clone_job",
    "publish_checkpoint",
    "reproduce_job",
    "request_cancel",
    "resume_job",
    "retry_job",
    "submit_job",
    "update_job",
]
