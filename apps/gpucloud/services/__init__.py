"""Every write of gpucloud, with its rules and its transaction."""

from apps.gpucloud.services.jobs import (
    cancel_job,
    cancel_jobs,
    clone_job,
    reproduce_job,
    request_cancel,
    resume_job,
    retry_job,
    submit_job,
    update_job,
)

__all__ = [
    "cancel_job",
    "cancel_jobs",
    "clone_job",
    "reproduce_job",
    "request_cancel",
    "resume_job",
    "retry_job",
    "submit_job",
    "update_job",
]
