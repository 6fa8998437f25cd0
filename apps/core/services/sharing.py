"""Sharing artefacts between projects and teams: read-only, one version, taken back at once."""

from collections.abc import Iterable
from uuid import UUID

from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext_noop as _

from apps.core import artefact_types, selectors
from apps.core.access import Actor
from apps.core.errors import Conflict, InvalidInput, NotFound
from apps.core.models import Artefact, Project, Role, Share, Team, User
from apps.core.services.audit import record_audit
from apps.core.services.notices import emit

USED_ELSEWHERE = _("Another project has used what was shared with it, so it cannot be deleted.")
USED_ELSEWHERE_HINT = _(
    "Take the share back; nothing new is made of it then, and what was made can still be explained."
)


@transaction.atomic
def share_artefact(
    actor: Actor, artefact: Artefact, *, project: UUID | str | None = None, team: UUID | str | None = None
) -> Share:
    """Let another project, or all projects of a team, read an artefact and use it in jobs.

    Owners share out, and only to where they could bring it in themselves: a project in which the actor may start simple
    jobs, or the team of one. So nobody has to accept. Raises NotFound for any other target, whether it exists or not,
    InvalidInput for a type that is not shared, Conflict when it is shared there already.
    """
    actor.require("manage", artefact.project)
    if artefact_types.shared(artefact.type) is None:
        raise InvalidInput(_("A thing of this kind cannot be shared."), type=artefact.type)
    if bool(project) == bool(team):
        raise InvalidInput(_("Choose one project or one team to share with."), field="target")
    projects, teams = selectors.share_targets(actor, artefact.project)
    to_project = next((row for row in projects if str(project) in (str(row.pk), row.slug)), None) if project else None
    to_team = next((row for row in teams if str(team) == str(row.pk)), None) if team else None
    if to_project is None and to_team is None:
        raise NotFound(
            _("There is no such project or team that you could share with."),
            hint=_("You must be able to start jobs in that project, or in one of the team."),
        )
    try:
        with transaction.atomic():
            share = Share.objects.create(artefact=artefact, project=to_project, team=to_team, created_by=actor.user)
    except IntegrityError:
        raise Conflict(_("It is shared there already.")) from None
    _note(actor, "artefact.share", share)
    return share


@transaction.atomic
def revoke_share(actor: Actor, share: Share) -> None:
    """From now on it is not found there any more. What runs goes on to its end; nothing new is started with it."""
    actor.require("manage", share.artefact.project)
    if not Share.objects.filter(pk=share.pk).delete()[0]:  # somebody was faster
        raise NotFound(_("There is no such share."))
    _note(actor, "artefact.unshare", share)


def _note(actor: Actor, event: str, share: Share) -> None:
    """In the audits of both sides, and told to the owners of the other one, unless it can be read there all the same:
    by itself and with the team."""
    artefact = share.artefact
    targets = _targets(share)
    others = selectors.shares_into(targets).filter(artefact=artefact).exclude(pk=share.pk)
    reached = {other.project_id or other.team_id for other in others}
    record_audit(actor, event, artefact, target=str(share.project or share.team), share=str(share.pk))
    for target in targets:
        record_audit(actor, event, artefact, project=target, source=artefact.project.slug, share=str(share.pk))
        if target.pk in reached or target.team_id in reached:
            continue
        page = "core:shared_detail" if event == "artefact.share" else "core:artefact_list"
        emit(
            event, target, to=_owners(target), by=actor.user, thing=artefact.name, place=artefact.project.name,
            url=reverse(page, args=[target.slug, *([artefact.pk] if event == "artefact.share" else [])]),
        )  # fmt: skip


def _targets(share: Share) -> list[Project]:
    if share.project:
        return [share.project]
    return list(Project.objects.filter(team=share.team).exclude(pk=share.artefact.project_id))


def _owners(project: Project) -> Iterable[User]:
    return User.objects.filter(memberships__project=project, memberships__role=Role.OWNER)


# --- teams


@transaction.atomic
def move_to_team(actor: Actor, project: Project, *, team: UUID | str | None = None, name: str = "") -> Team:
    """Put a project into another team, or into a new one of a name. It sees from now on what is shared with that team,
    and no more what was shared with the one before.

    Needs `manage` in the project and in some project of the team: those in a team decide who comes in. Raises NotFound
    for any other team, whether it exists or not.
    """
    actor.require("manage", project)
    name = name.strip()
    if bool(team) == bool(name):
        raise InvalidInput(_("Choose a team, or give a name for a new one."), field="team")
    managed = {row.project.team_id for row in actor.memberships() if actor.may("manage", row.project)}
    found = Team.objects.create(name=name[:120]) if name else None
    if team:
        known = selectors.as_uuid(team)
        found = Team.objects.filter(pk=known).first() if known in managed else None
    if found is None:
        raise NotFound(_("There is no such team, or you own no project in it."))
    Project.objects.filter(pk=project.pk).update(team=found)
    project.team = found
    record_audit(actor, "project.move", project, team=found.name)
    return found


@transaction.atomic
def rename_team(actor: Actor, project: Project, name: str) -> Team:
    """The team of a project, by an owner of that project."""
    actor.require("manage", project)
    name = name.strip()[:120]
    if not name:
        raise InvalidInput(_("Give the team a name."), field="name")
    Team.objects.filter(pk=project.team_id).update(name=name)
    project.team.name = name
    record_audit(actor, "team.rename", project, name=name)
    return project.team
