"""The operators' desk: people, projects, keys, invitations, audit, artefacts."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.core import key_changes
from apps.core.access import actor_of
from apps.core.models import ApiKey, Artefact, AuditEvent, Invitation, Membership, Project, Team, Upload, User
from apps.core.services import record_audit

admin.site.site_header = admin.site.site_title = "AIFS"
admin.site.unregister(Group)


class ReadOnly(ModelAdmin):
    """To be looked at, not to be changed."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MembershipInline(TabularInline):
    model = Membership
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

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """A person who is locked out loses the keys at the same moment."""
        super().save_model(request, obj, form, change)
        record_audit(actor_of(request), "user.update" if change else "user.create", obj)
        key_changes.announce()


@admin.register(Team)
class TeamAdmin(ModelAdmin):
    list_display = ("name", "created_at")
    search_fields = ("name",)


@admin.register(Project)
class ProjectAdmin(ModelAdmin):
    list_display = ("slug", "name", "team", "created_at")
    search_fields = ("slug", "name")
    list_filter = ("team",)
    autocomplete_fields: ClassVar = ["team"]
    inlines: ClassVar = [MembershipInline]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        record_audit(actor_of(request), "project.update", form.instance)
        key_changes.announce()


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly):
    list_display = ("prefix", "name", "user", "project", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("project",)
    search_fields = ("prefix", "name", "user__email")
    exclude = ("hash",)
    actions: ClassVar = ["revoke"]

    @admin.action(description=_("Revoke the chosen keys"))
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        live = list(chosen.filter(revoked_at__isnull=True))
        ApiKey.objects.filter(pk__in=[key.pk for key in live]).update(revoked_at=timezone.now())
        for key in live:
            record_audit(actor_of(request), "api_key.revoke", key)
        key_changes.announce()
        messages.success(request, _("%(count)d keys do not work any more.") % {"count": len(live)})


@admin.register(Invitation)
class InvitationAdmin(ReadOnly):
    list_display = ("email", "project", "role", "invited_by", "created_at", "expires_at", "accepted_at")
    search_fields = ("email",)
    exclude = ("hash",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ("at", "user", "api_key", "project", "action", "object_name", "ip")
    list_filter = ("action", "project")
    search_fields = ("action", "object_name", "object_id", "user__email")
    date_hierarchy = "at"


@admin.register(Artefact)
class ArtefactAdmin(ReadOnly):
    list_display = ("name", "type", "project", "size_bytes", "created_at")
    list_filter = ("type", "project")
    search_fields = ("name", "sha256", "id")


@admin.register(Upload)
class UploadAdmin(ReadOnly):
    list_display = ("filename", "project", "user", "size_bytes", "offset_bytes", "created_at")
    search_fields = ("filename",)
