"""What an exit means. Pure: exit record in, decision out."""

import os
import signal
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.translation import gettext_noop as _

from apps.gpucloud.services.transitions import Reason, reason
from workers import disk
from workers.errors import OutOfMemory

ASKED = {"grace_over", "killed"}
STOP_CODES = {os.EX_TEMPFAIL, -signal.SIGTERM, 128 + signal.SIGTERM}


@dataclass(frozen=True)
class Verdict:
    """finish: register the results. stopped: ended as asked. paused: found the disk full. failed: `again` says whether
    another attempt may help."""

    outcome: Literal["finish", "stopped", "paused", "failed"]
    why: Reason | None = None
    again: bool = False


def judge(
    exit: dict[str, Any], error: dict[str, Any] | None, *, asked: bool, cancelled: bool, service: bool
) -> Verdict:
    """exit: the supervisor's record. error: the run's own last `error` event. asked: the agent asked it to stop."""
    code, limit = exit.get("code"), exit.get("reason", "")
    if cancelled or (asked and service):
        return Verdict("stopped")
    if code == 0 and not limit:
        if not service:
            return Verdict("finish")
        why = reason("service_ended", _("The service ended by itself."), _("The log shows its last words."))
        return Verdict("failed", why, again=True)
    if code == disk.FULL_EXIT and not limit:
        return Verdict("paused")
    if code == os.EX_TEMPFAIL or (asked and (code in STOP_CODES or limit in ASKED)):
        return Verdict("stopped")
    if limit in LIMITS:
        return Verdict("failed", LIMITS[limit](exit), again=limit in ("stale_lease", "supervisor_lost"))
    if error and error.get("code"):
        kept = {name: error.get(name) or "" for name in ("code", "message", "hint")}
        return Verdict("failed", {**kept, "data": error.get("data") or {}})
    return Verdict("failed", crash(code), again=True)


def crash(code: int | None) -> Reason:
    """The child died without a word."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return reason(
            "crashed", _("The run was ended by signal %(signal)s."), _("The log shows its last words."), signal=name
        )
    return reason(
        "crashed",
        _("The run ended with status %(status)s and gave no reason."),
        _("The log shows its last words."),
        status=code,
    )


def _out_of_memory(exit: dict[str, Any]) -> Reason:
    event = OutOfMemory(
        peak_memory_mib=exit.get("peak_memory_mib"), memory_limit_mib=exit.get("memory_limit_mib")
    ).as_event()
    return reason(event["code"], event["message"], event["hint"], **event["data"])


LIMITS = {
    "out_of_memory": _out_of_memory,
    "timeout": lambda exit: reason("timeout", _("The run took longer than it was allowed to.")),
    "too_many_processes": lambda exit: reason(
        "too_many_processes", _("The run started more processes than are allowed.")
    ),
    "too_much_output": lambda exit: reason("too_much_output", _("The run printed more than is kept.")),
    "stale_lease": lambda exit: reason(
        "stale_lease", _("The node's agent was away for too long, so the run was ended.")
    ),
    "supervisor_lost": lambda exit: reason("supervisor_lost", _("The process that watches over the run was killed.")),
}
