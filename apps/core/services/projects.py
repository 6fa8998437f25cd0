"""Projects: where people work together."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import Conflict, InvalidInput, NotAllowed
from apps.core.models import Membership, Project, Role, Team
from apps.core.services.audit import record_audit


@transaction.atomic
def create_project(actor: Actor, name: str, slug: str = "", description: str = "", team: Team | None = None) -> Project:
    """A project with the actor as its owner; without a team it gets one of its own. Raises Conflict when the slug is
    taken. API keys cannot: they belong to one project."""
    if not actor.is_authenticated or actor.api_key:
        raise NotAllowed(_("Only a signed-in person can create a project."))
    name = name.strip()
    slug = slugify(slug or name)[:60]
    if not name or not slug:
        raise InvalidInput(
            _("Give the project a name and a short name of letters, digits and hyphens."),
            errors=[{"field": "slug" if name else "name", "message": gettext("This is needed.")}],
        )
    team = team or Team.objects.create(name=name)
    try:
        with transaction.atomic():
            project = Project.objects.create(team=team, slug=slug, name=name, description=description.strip())
    except IntegrityError:
        raise Conflict(_("The short name “%(slug)s” is taken."), slug=slug) from None
    Membership.objects.create(project=project, user=actor.user, role=Role.OWNER)
    record_audit(actor, "project.create", project)
    return project


@transaction.atomic
def update_project(actor: Actor, project: Project, **changes: Any) -> Project:
    """Change name or description; the slug stays, since links hold it."""
    actor.require("manage", project)
    for field in ("name", "description"):
        if field in changes:
            setattr(project, field, str(changes[field]).strip())
    if not project.name:
        raise InvalidInput(
            _("Give the project a name."), errors=[{"field": "name", "message": gettext("This is needed.")}]
        )
    project.save(update_fields=["name", "description"])
    record_audit(actor, "project.update", project)
    return project
