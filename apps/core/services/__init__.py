"""Every write of core, with its rules and its transaction."""

from apps.core.services.artefacts import register_artefact
from apps.core.services.audit import record_audit
from apps.core.services.comments import create_comment, delete_comment, resolve_comment, update_comment
from apps.core.services.keys import create_api_key, hash_key, revoke_api_key, rotate_api_key
from apps.core.services.members import (
    accept_invitation,
    change_role,
    invite_member,
    remove_member,
    resend_invitation,
    withdraw_invitation,
)
from apps.core.services.notices import emit, mark_read, set_heard_events
from apps.core.services.people import set_language, set_profile
from apps.core.services.projects import create_project, update_project
from apps.core.services.saved_views import delete_view, save_view, set_default_view
from apps.core.services.sessions import end_all_sessions, end_other_sessions, end_session
from apps.core.services.sharing import (
    USED_ELSEWHERE,
    USED_ELSEWHERE_HINT,
    move_to_team,
    rename_team,
    revoke_share,
    share_artefact,
)
from apps.core.services.uploads import (
    append_to_upload,
    create_upload,
    create_upload_from_file,
    delete_upload,
)
from apps.core.services.webhooks import create_webhook, delete_webhook, update_webhook

__all__ = [
    "USED_ELSEWHERE",
    "USED_ELSEWHERE_HINT",
    "accept_invitation",
    "append_to_upload",
    "change_role",
    "create_api_key",
    "create_comment",
    "create_project",
    "create_upload",
    "create_upload_from_file",
    "create_webhook",
    "delete_comment",
    "delete_upload",
    "delete_view",
    "delete_webhook",
    "emit",
    "end_all_sessions",
    "end_other_sessions",
    "end_session",
    "hash_key",
    "invite_member",
    "mark_read",
    "move_to_team",
    "record_audit",
    "register_artefact",
    "remove_member",
    "rename_team",
    "resend_invitation",
    "resolve_comment",
    "revoke_api_key",
    "revoke_share",
    "rotate_api_key",
    "save_view",
    "set_default_view",
    "set_heard_events",
    "set_language",
    "set_profile",
    "share_artefact",
    "update_comment",
    "update_project",
    "update_webhook",
    "withdraw_invitation",
]
