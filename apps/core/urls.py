"""Pages of core. Addresses are whole: some lie inside a project, some outside."""

from django.urls import path

from apps.core.views import (
    comments,
    dashboard,
    home,
    lineage,
    notifications,
    params,
    people,
    saved_views,
    settings,
    webhooks,
)

app_name = "core"
urlpatterns = [
    path("projects/new/", settings.project_create, name="project_create"),
    path("account/profile/", people.settings_profile, name="settings_profile"),
    path("account/sessions/", people.session_list, name="session_list"),
    path("account/sessions/end-others/", people.session_end_others, name="session_end_others"),
    path("account/sessions/<int:session>/end/", people.session_end, name="session_end"),
    path("notifications/", notifications.notification_list, name="notification_list"),
    path("notifications/unread/", notifications.notification_unread, name="notification_unread"),
    path("notifications/read/", notifications.notification_read_all, name="notification_read_all"),
    path("notifications/settings/", notifications.notification_settings, name="notification_settings"),
    path("notifications/<uuid:notification>/open/", notifications.notification_open, name="notification_open"),
    path("notifications/<uuid:notification>/read/", notifications.notification_read, name="notification_read"),
    path("invitations/<str:token>/", people.invitation_open, name="invitation_open"),
    path("p/<slug:project>/", dashboard.dashboard, name="dashboard"),
    path("p/<slug:project>/search/", home.search, name="search"),
    path("p/<slug:project>/palette/", home.palette, name="palette"),
    path("p/<slug:project>/params/<str:kind>/yaml/", params.params_yaml, name="params_yaml"),
    path("p/<slug:project>/members/search/", comments.member_search, name="member_search"),
    path("p/<slug:project>/comments/<uuid:comment>/edit/", comments.comment_edit, name="comment_edit"),
    path("p/<slug:project>/comments/<uuid:comment>/resolve/", comments.comment_resolve, name="comment_resolve"),
    path("p/<slug:project>/comments/<uuid:comment>/delete/", comments.comment_delete, name="comment_delete"),
    path("p/<slug:project>/comments/<slug:type>/<uuid:id>/", comments.comment_list, name="comment_list"),
    path("p/<slug:project>/comments/<slug:type>/<uuid:id>/new/", comments.comment_create, name="comment_create"),
    path("p/<slug:project>/views/", saved_views.view_save, name="view_save"),
    path("p/<slug:project>/views/<uuid:view>/default/", saved_views.view_default, name="view_default"),
    path("p/<slug:project>/views/<uuid:view>/delete/", saved_views.view_delete, name="view_delete"),
    path("p/<slug:project>/settings/", settings.settings_project, name="settings_project"),
    path("p/<slug:project>/settings/keys/", settings.settings_keys, name="settings_keys"),
    path("p/<slug:project>/settings/keys/<uuid:key>/rotate/", settings.api_key_rotate, name="api_key_rotate"),
    path("p/<slug:project>/settings/keys/<uuid:key>/revoke/", settings.api_key_revoke, name="api_key_revoke"),
    path("p/<slug:project>/settings/members/", settings.settings_members, name="settings_members"),
    path(
        "p/<slug:project>/settings/members/<uuid:member>/role/", settings.member_change_role, name="member_change_role"
    ),
    path("p/<slug:project>/settings/members/<uuid:member>/remove/", settings.member_remove, name="member_remove"),
    path(
        "p/<slug:project>/settings/invitations/<uuid:invitation>/withdraw/",
        settings.invitation_withdraw,
        name="invitation_withdraw",
    ),
    path(
        "p/<slug:project>/settings/invitations/<uuid:invitation>/resend/",
        settings.invitation_resend,
        name="invitation_resend",
    ),
    path("p/<slug:project>/settings/webhooks/", webhooks.settings_webhooks, name="settings_webhooks"),
    path("p/<slug:project>/settings/webhooks/<uuid:webhook>/", webhooks.webhook_detail, name="webhook_detail"),
    path("p/<slug:project>/settings/webhooks/<uuid:webhook>/delete/", webhooks.webhook_delete, name="webhook_delete"),
    path("p/<slug:project>/audit/", settings.audit_list, name="audit_list"),
    path("p/<slug:project>/lineage/", lineage.artefact_list, name="artefact_list"),
    path("p/<slug:project>/lineage/<slug:type>/<uuid:id>/", lineage.lineage_detail, name="lineage_detail"),
]
