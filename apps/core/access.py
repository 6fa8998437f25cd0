"""Who acts, and what they may do. Every query starts from `actor.projects()`: somebody else's object is not found.

Operators act through the admin; being a superuser gives no right in a project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_noop as _

from apps.core.errors import NotAllowed, NotFound
from apps.core.models import ApiKey, Membership, Project, Role, User

if TYPE_CHECKING:
    from django.http import HttpRequest

RIGHTS = ("view", "label", "run_simple", "run", "deploy", "publish", "manage")

ROLE_RIGHTS: dict[str, frozenset[str]] = {
    Role.VIEWER: frozenset({"view"}),
    Role.EXPERT: frozenset({"view", "label", "run_simple", "publish"}),
    Role.DATA_SCIENTIST: frozenset({"view", "label", "run_simple", "run", "publish"}),
    Role.ENGINEER: frozenset({"view", "label", "run_simple", "run", "deploy", "publish"}),
    Role.OWNER: frozenset(RIGHTS),
}


class Actor:
    """A signed-in person, or an API key acting for one: then only in its project and within its rights."""

    def __init__(self, user: User | AnonymousUser | None, api_key: ApiKey | None = None, ip: str | None = None) -> None:
        self.user: Any = user if user is not None else AnonymousUser()
        self.api_key = api_key
        self.ip = ip
        self._rights: dict[Any, frozenset[str] | None] = {}
        self._memberships: list[Membership] | None = None

    @property
    def is_authenticated(self) -> bool:
        return bool(self.user.is_authenticated and self.user.is_active)

    def projects(self) -> QuerySet[Project]:
        """The projects this actor may see."""
        if not self.is_authenticated:
            return Project.objects.none()
        projects = Project.objects.filter(memberships__user=self.user)
        return projects.filter(pk=self.api_key.project_id) if self.api_key else projects

    def memberships(self) -> list[Membership]:
        """The actor's own, with their projects, by name: one question for the switcher, the door and the rights."""
        if self._memberships is None:
            rows = Membership.objects.filter(user=self.user) if self.is_authenticated else Membership.objects.none()
            if self.api_key:
                rows = rows.filter(project=self.api_key.project_id)
            self._memberships = list(rows.select_related("project").order_by("project__name"))
            for row in self._memberships:
                self._rights.setdefault(row.project_id, self._rights_of(row.role))
        return self._memberships

    def rights(self, project: Project) -> frozenset[str] | None:
        """What the actor may do here; None for a stranger. Looked up once per actor and project."""
        if project.pk not in self._rights and self._memberships is None:
            self.memberships()
        if project.pk not in self._rights:
            self._rights[project.pk] = self._look_up(project)
        return self._rights[project.pk]

    def _look_up(self, project: Project) -> frozenset[str] | None:
        if not self.is_authenticated or (self.api_key and self.api_key.project_id != project.pk):
            return None
        role = Membership.objects.filter(project=project, user=self.user).values_list("role", flat=True).first()
        return None if role is None else self._rights_of(role)

    def _rights_of(self, role: str) -> frozenset[str]:
        rights = ROLE_RIGHTS[role]
        return rights & frozenset(self.api_key.rights) if self.api_key else rights

    def still_may(self, right: str, project: Project) -> bool:
        """As `may`, asked of the database again: for what lasts longer than a request, during which a member may leave
        and a key may be revoked."""
        live = Q(expires_at__isnull=True) | Q(expires_at__gt=Now())
        if self.api_key and not ApiKey.objects.filter(live, pk=self.api_key.pk, revoked_at__isnull=True).exists():
            return False
        if not User.objects.filter(pk=self.user.pk, is_active=True).exists():
            return False
        self._rights.pop(project.pk, None)
        return self.may(right, project)

    def may(self, right: str, project: Project) -> bool:
        if right not in RIGHTS:
            raise ValueError(f"unknown right {right!r}")
        return right in (self.rights(project) or ())

    def require(self, right: str, project: Project) -> None:
        """Raises NotFound to strangers, NotAllowed to members without the right."""
        if self.rights(project) is None:
            raise NotFound(_("There is no such project, or you are not a member of it."))
        if not self.may(right, project):
            raise NotAllowed(
                _("Your role in this project does not allow this."),
                hint=_("Ask an owner of the project to change your role or the rights of your key."),
                right=right,
            )


class Operator(Actor):
    """An operator at the desk: every right in every project. Made by the admin alone, which lets in nobody else."""

    def _look_up(self, project: Project) -> frozenset[str]:
        return frozenset(RIGHTS)


def actor_of(request: HttpRequest) -> Actor:
    """The person of a request's session."""
    return Actor(request.user, ip=request.META.get("REMOTE_ADDR") or None)
