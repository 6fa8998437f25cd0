"""The operators' desk: people, projects, keys, invitations, audit, artefacts."""

import csv
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.core import key_changes
from apps.core.access import actor_of
from apps.core.desk import ReadOnly, each
from apps.core.models import ApiKey, Artefact, AuditEvent, Invitation, Membership, Project, Role, Team, Upload, User
from apps.core.services import end_all_sessions, operating, record_audit
from apps.core.spreadsheets import guarded


class KeepsAnOwner(BaseInlineFormSet):
    """A project without an owner could not be managed by anybody in it."""

    def clean(self) -> None:
        super().clean()
        kept = [form.cleaned_data for form in self.forms if form.is_valid() and not form.cleaned_data.get("DELETE")]
        if (
            self.instance.pk
            and not self.instance._state.adding
            and not any(row.get("role") == Role.OWNER for row in kept)
        ):
            raise ValidationError(_("A project needs an owner."))


class MembershipInline(TabularInline):
    model = Membership
    formset = KeepsAnOwner
    extra = 0
    autocomplete_fields: ClassVar = ["user"]


@admin.register(User)
class PersonAdmin(UserAdmin, ModelAdmin):
    form, add_form, change_password_form = UserChangeForm, UserCreationForm, AdminPasswordChangeForm
    list_display = ("email", "name", "is_active", "is_staff", "last_login", "date_joined")
    list_filter = ("is_active", "is_staff", "language")
    search_fields = ("email", "name")
    ordering = ("email",)
    fieldsets = (
        (None, {"fields": ("email", "password", "name", "language")}),
        (_("Rights of an operator"), {"fields": ("is_active", "is_staff", "is_superuser")}),
        (_("Times"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "name", "password1", "password2")}),)
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()

    actions: ClassVar = ["close", "open", "reset_second_factor"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Accounts are closed, not deleted: what a person made stays theirs."""
        return False

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """A person who is locked out loses keys and sessions at the same moment."""
        super().save_model(request, obj, form, change)
        fields = sorted(set(form.changed_data) - {"password1", "password2"})
        record_audit(actor_of(request), "user.update" if change else "user.create", obj, fields=fields)
        if not obj.is_active:
            end_all_sessions(obj)
        key_changes.announce()

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        answer = super().user_change_password(request, id, form_url)
        if request.method == "POST" and answer.status_code == 302:
            record_audit(actor_of(request), "user.set_password", self.get_object(request, unquote(id)))
        return answer

    @admin.action(description=_("Close the accounts: no signing in, no keys"))
    def close(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        self._each(request, chosen, operating.close_account)

    @admin.action(description=_("Open the accounts again"))
    def open(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        self._each(request, chosen, operating.open_account)

    @admin.action(description=_("Remove the second factor (phone lost)"))
    def reset_second_factor(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        self._each(request, chosen, operating.reset_second_factor)

    def _each(self, request: HttpRequest, chosen: QuerySet[User], deed: Any) -> None:
        done = each(request, chosen, lambda user: deed(actor_of(request), user))
        if done:
            messages.success(request, _("Done for %(count)d accounts.") % {"count": done})


@admin.register(Team)
class TeamAdmin(ModelAdmin):
    list_display = ("name", "created_at")
    search_fields = ("name",)

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Team, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        record_audit(actor_of(request), "team.update" if change else "team.create", obj, name=obj.name)

    @transaction.atomic
    def delete_model(self, request: HttpRequest, obj: Team) -> None:
        record_audit(actor_of(request), "team.delete", obj, name=obj.name)
        super().delete_model(request, obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Team]) -> None:
        for team in queryset:
            self.delete_model(request, team)


@admin.register(Project)
class ProjectAdmin(ModelAdmin):
    list_display = ("slug", "name", "team", "created_at")
    search_fields = ("slug", "name")
    list_filter = ("team",)
    list_select_related = ("team",)
    autocomplete_fields: ClassVar = ["team"]
    inlines: ClassVar = [MembershipInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everything in it would go with it, unasked."""
        return False

    @transaction.atomic
    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        operator = actor_of(request)
        record_audit(operator, "project.update" if change else "project.create", form.instance)
        for formset in formsets:
            deeds = [("member.add", row) for row in formset.new_objects]
            deeds += [("member.change_role", row) for row, _fields in formset.changed_objects]
            deeds += [("member.remove", row) for row in formset.deleted_objects]
            for action, row in deeds:
                record_audit(operator, action, row, form.instance, email=row.user.email, role=row.role)
        key_changes.announce()


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly):
    list_display = ("prefix", "name", "user", "project", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("project",)
    search_fields = ("prefix", "name", "user__email")
    exclude = ("hash",)
    list_select_related = ("user", "project")
    actions: ClassVar = ["revoke"]

    @admin.action(description=_("Revoke the chosen keys"))
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        count = operating.revoke_keys(actor_of(request), chosen)
        messages.success(request, _("%(count)d keys do not work any more.") % {"count": count})


@admin.register(Invitation)
class InvitationAdmin(ReadOnly):
    list_display = ("email", "project", "role", "invited_by", "created_at", "expires_at", "accepted_at")
    list_select_related = ("project", "invited_by")
    search_fields = ("email",)
    exclude = ("hash",)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ("at", "user", "api_key", "project", "action", "object_name", "ip")
    list_filter = ("action", "project")
    search_fields = ("action", "object_name", "object_id", "user__email", "ip")
    list_select_related = ("user", "api_key", "project")
    date_hierarchy = "at"
    actions: ClassVar = ["as_csv"]

    @admin.action(description=_("The chosen lines as CSV"), permissions=["view"])
    def as_csv(self, request: HttpRequest, chosen: QuerySet[AuditEvent]) -> HttpResponse:
        answer = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="audit.csv"'
        answer["Cache-Control"] = "private, no-store"
        table = csv.writer(answer)
        table.writerow(
            ["at", "user", "api_key", "project", "action", "object_type", "object_id", "object_name", "data", "ip"]
        )
        for row in chosen.select_related("user", "api_key", "project"):
            who = (row.user.email if row.user else "", row.api_key.prefix if row.api_key else "")
            where = row.project.slug if row.project else ""
            cells = (row.at.isoformat(), *who, where, row.action, row.object_type, row.object_id, row.object_name)
            table.writerow([guarded(cell) for cell in (*cells, row.data, row.ip or "")])
        return answer


@admin.register(Artefact)
class ArtefactAdmin(ReadOnly):
    list_display = ("name", "type", "project", "size_bytes", "created_at")
    list_filter = ("type", "project")
    list_select_related = ("project",)
    search_fields = ("name", "sha256", "id")


@admin.register(Upload)
class UploadAdmin(ReadOnly):
    list_display = ("filename", "project", "user", "size_bytes", "offset_bytes", "created_at")
    search_fields = ("filename",)
    list_select_related = ("project", "user")
