"""The last step of a good run: its results become artefacts, in one transaction under the fence."""

import logging
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.utils.translation import gettext_noop as _

from apps.core.errors import AifsError
from apps.gpucloud.handlers import handler_for
from apps.gpucloud.models import Attempt, AttemptState, JobState
from apps.gpucloud.services.reproducing import judge_attempt
from apps.gpucloud.services.transitions import StaleFence, close_attempt, end_job, lock_attempt, reason

log = logging.getLogger(__name__)


def finish_attempt(attempt_id: UUID | str) -> bool:
    """Register what an attempt made. Safe to call any number of times: only the first finds it finishing.

    Returns True when this call ended the job. Raises database errors: the attempt stays, and is finished later.
    """
    finishing = (
        Attempt.objects.filter(pk=attempt_id, state=AttemptState.FINISHING).select_related("job", "node").first()
    )
    if finishing is None:
        return False
    fence = finishing.fence
    try:
        return _finish(attempt_id, fence, judge_attempt(finishing))
    except StaleFence:
        return False
    except (OperationalError, InterfaceError):
        raise
    except AifsError as error:
        return _refuse(attempt_id, fence, reason(error.code, error.message, error.hint, **error.data))
    except Exception as error:  # a bug in a handler: shown as one, and never an endless loop
        log.exception("finish of attempt %s failed", attempt_id)
        text = f"{type(error).__name__}: {error}"[:500]
        return _refuse(
            attempt_id, fence, reason("finish_failed", _("The results could not be registered: %(error)s"), error=text)
        )


@transaction.atomic
def _finish(attempt_id: UUID | str, fence: int, match: dict[str, Any]) -> bool:
    job, attempt = lock_attempt(attempt_id, fence)
    if attempt.state != AttemptState.FINISHING:
        return False
    if job.cancel_requested_at:
        close_attempt(attempt, AttemptState.CANCELLED)
        end_job(job, JobState.CANCELLED)
        return True
    outputs = handler_for(job.kind).finish(job, attempt)
    close_attempt(attempt, AttemptState.SUCCEEDED)
    job.outputs = outputs or {}
    end_job(job, JobState.SUCCEEDED, outputs=job.outputs, result=attempt.result, match=match)
    return True


@transaction.atomic
def _refuse(attempt_id: UUID | str, fence: int, why: dict[str, object]) -> bool:
    try:
        job, attempt = lock_attempt(attempt_id, fence)
    except StaleFence:
        return False
    close_attempt(attempt, AttemptState.FAILED, why)
    end_job(job, JobState.FAILED, why)
    return True
