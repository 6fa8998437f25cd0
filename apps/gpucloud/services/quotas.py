"""What a project may hold at once. An allowance is plain values in, plain values out, like placement."""

from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from django.utils.translation import gettext_noop as _

from apps.gpucloud.models import Quota
from apps.gpucloud.selectors import with_use
from apps.gpucloud.services.transitions import Reason, reason
from workers.kinds import Resources

Amounts = dict[str, int]
"""By the names of Quota.LIMITS."""

USED_UP = {
    "accelerators": _(
        "Waits for the project's quota: %(used)s of %(limit)s accelerators are in use, and it needs %(needed)s."
    ),
    "cpus": _("Waits for the project's quota: %(used)s of %(limit)s cores are in use, and it needs %(needed)s."),
    "memory_mib": _(
        "Waits for the project's quota: %(used)s of %(limit)s MiB of memory are promised, and it needs %(needed)s."
    ),
    "running_jobs": _("Waits for the project's quota: %(used)s of %(limit)s jobs that may run at once are running."),
}
TOO_LARGE = {
    "accelerators": _("It asks for %(needed)s accelerators; the project's quota is %(limit)s."),
    "cpus": _("It asks for %(needed)s cores; the project's quota is %(limit)s."),
    "memory_mib": _("It asks for %(needed)s MiB of memory; the project's quota is %(limit)s MiB."),
    "running_jobs": _("The project's quota lets no job start."),
}


def needs(wanted: Resources) -> Amounts:
    """What a job counts for. One that promises no limit of memory needs some all the same: it waits while none is
    left, although it adds nothing."""
    return {
        "accelerators": wanted.accelerators,
        "cpus": wanted.cpus,
        "memory_mib": max(wanted.memory_mib, 1),
        "running_jobs": 1,
    }


@dataclass
class Allowance:
    """A project's limits (none: not limited), what it has used of them, and the part of it that services hold, which
    does not come free by itself."""

    limits: Amounts = field(default_factory=dict)
    used: Amounts = field(default_factory=dict)
    lasting: Amounts = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    """Limits whose next room is for a job that has waited long."""

    def why_waiting(self, wanted: Resources) -> Reason | None:
        """In words, why the quota does not let a job start now; None when it does."""
        needed = needs(wanted)
        for name, limit in self.limits.items():
            if needed[name] > limit:
                hint = _("Ask for less, or ask an operator: only they can raise the quota.")
                return reason("over_quota", TOO_LARGE[name], hint, quota=name, limit=limit, needed=needed[name])
        hint = _("It starts by itself when other jobs of the project end. Only an operator can raise the quota.")
        for name in self._lacking(needed):
            data = {"quota": name, "limit": self.limits[name], "used": self.used[name], "needed": needed[name]}
            return reason("quota_used", USED_UP[name], hint, **data)
        if any(needed[name] for name in self.kept):
            text = _("A job of the project that has waited longer gets what comes free of the project's quota next.")
            return reason("quota_kept", text, hint)
        return None

    def _lacking(self, needed: Amounts) -> list[str]:
        return [name for name, limit in self.limits.items() if needed[name] and self.used[name] + needed[name] > limit]

    def spent(self) -> set[str]:
        """Limits of which nothing is left."""
        return {name for name, limit in self.limits.items() if self.used[name] >= limit}

    def keep(self, wanted: Resources) -> None:
        """Later jobs of the project no longer slip past this one in what it lacks, if that can come free: room that
        services hold, or that the quota never had, is waited for by nobody else."""
        needed = needs(wanted)
        if all(self.lasting[name] + needed[name] <= limit for name, limit in self.limits.items()):
            self.kept.update(self._lacking(needed))

    def take(self, wanted: Resources) -> None:
        held = needs(wanted) | {"memory_mib": wanted.memory_mib}
        for name in self.limits:
            self.used[name] += held[name]


def allowances() -> defaultdict[UUID, Allowance]:
    """By project; one without a quota may hold all there is."""
    quotas = with_use(Quota.objects.all())
    found = {quota.project_id: Allowance(quota.limits, quota.used, quota.lasting) for quota in quotas}
    return defaultdict(Allowance, found)
