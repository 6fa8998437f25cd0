"""View sets whose every query starts from the projects of the actor."""

from typing import Any, ClassVar

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import mixins, viewsets
from rest_framework.request import Request

from apps.core import selectors
from apps.core.access import Actor
from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.core.rest.filters import StrictFilters, StrictOrdering
from apps.core.rest.paging import CursorPagination


class ProjectViewSet(viewsets.GenericViewSet):
    """Base of collections that belong to a project.

    project_field: path from a row to its project (`project`, `dataset__project`, or `` for projects themselves).
    artefact_field: path from a row to its artefact (`` for artefacts themselves) where what is shared with a project
        may be read there, too.
    rights: action → right that it needs in the row's project; what is not named needs `view` for reading and
        `write_right` for writing. `create` takes `project` (slug or id) from the body; a key's own is the default.
    filterset_fields, ordering_fields: the only filters and orders there are. query_params: further known parameters.
    """

    project_field: ClassVar[str] = "project"
    artefact_field: ClassVar[str | None] = None
    rights: ClassVar[dict[str, str]] = {}
    write_right: ClassVar[str] = "run_simple"
    pagination_class = CursorPagination
    filter_backends = (StrictFilters, StrictOrdering)
    filterset_fields: Any = ()
    ordering_fields: Any = ()
    query_params: ClassVar[tuple[str, ...]] = ()

    @property
    def actor(self) -> Actor:
        return self.request.actor  # type: ignore[attr-defined, no-any-return]

    def get_queryset(self) -> QuerySet:
        """Rows of the projects in which the actor may do this; `?project=` narrows a list to one."""
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows.none()
        path = f"{self.project_field}__in" if self.project_field else "pk__in"
        wanted = self.request.query_params.get("project") if self.action == "list" else None
        projects = (
            [selectors.get_project(self.actor, wanted)] if wanted else [row.project for row in self.actor.memberships()]
        )
        right = self.required_right()
        if self.action == "list":
            projects = [project for project in projects if self.actor.may(right, project)]
        own = Q(**{path: [project.pk for project in projects]})
        if self.artefact_field is None or not self.is_reading():
            return rows.filter(own)
        shared = selectors.shared_ids(projects)
        return rows.filter(own | Q(**{f"{self.artefact_field or 'pk'}__in": shared}) if shared else own)

    def is_reading(self) -> bool:
        return self.request.method in {"GET", "HEAD", "OPTIONS"}

    def required_right(self) -> str:
        return self.rights.get(self.action or "", "view" if self.is_reading() else self.write_right)

    def check_object_permissions(self, request: Request, obj: Model) -> None:
        """A row that is seen but may not be changed is 403; one that is not seen never comes here (404)."""
        self.actor.require(self.required_right(), self.seen_from(obj))
        super().check_object_permissions(request, obj)

    def seen_from(self, obj: Any) -> Project:
        """The project through which the actor reaches a row: its own, or the one that its artefact is shared with."""
        project = self.project_of(obj)
        if self.artefact_field is None or not self.is_reading() or self.actor.rights(project) is not None:
            return project
        readers = selectors.readers_of([row.project for row in self.actor.memberships()], [obj.pk])
        return readers.get(obj.pk, project)

    def project_of(self, obj: Any) -> Project:
        for name in self.project_field.split("__") if self.project_field else ():
            obj = getattr(obj, name)
        return obj  # type: ignore[no-any-return]

    def get_project(self) -> Project:
        """The project a creating call is about, with the right checked. Raises InvalidInput when none is named."""
        body = self.request.data
        named = body.get("project") if isinstance(body, dict) else None
        if named is not None and not isinstance(named, str):
            raise InvalidInput(_("“project” must be a short name or an id."))
        if named:
            project = selectors.get_project(self.actor, named)
        elif self.actor.api_key:
            project = self.actor.api_key.project
        else:
            raise InvalidInput(
                _("Say in which project."), errors=[{"field": "project", "message": gettext("Its short name or id.")}]
            )
        self.actor.require(self.required_right(), project)
        return project


class ReadOnlyProjectViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ProjectViewSet):
    """List and read."""
