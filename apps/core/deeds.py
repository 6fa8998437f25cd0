"""Words and pictures for what the audit writes down as `noun.verb`."""

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

THINGS = {
    "api_key": (_("API key"), "key-round"),
    "artefact": (_("Artefact"), "boxes"),
    "comment": (_("A comment"), "message-square-text"),
    "dataset": (_("Dataset"), "database"),
    "deployment": (_("Deployment"), "rocket"),
    "invitation": (_("Invitation"), "send"),
    "job": (_("Job"), "list-checks"),
    "member": (_("Member"), "users"),
    "model": (_("Model"), "boxes"),
    "model_version": (_("Model version"), "boxes"),
    "node": (_("Node"), "server"),
    "project": (_("Project"), "layout-dashboard"),
    "prompt": (_("Prompt"), "message-square-text"),
    "prompt_service": (_("Prompt service"), "message-square-text"),
    "prompt_version": (_("Prompt version"), "message-square-text"),
    "quota": (_("Quota"), "gauge"),
    "session": (_("Session"), "user"),
    "share": (_("Sharing"), "share-2"),
    "team": (_("Team"), "users"),
    "upload": (_("Upload"), "upload"),
    "user": (_("Account"), "user"),
    "webhook": (_("Webhook"), "send"),
}
DEEDS = {
    "accepted": _("accepted"),
    "add": _("added"),
    "add_authenticator": _("second factor added"),
    "cancel": _("cancelled"),
    "change_password": _("password changed"),
    "change_role": _("role changed"),
    "close": _("closed"),
    "create": _("created"),
    "delete": _("deleted"),
    "disable": _("taken off the gateway"),
    "enable": _("put on the gateway"),
    "end": _("ended"),
    "end_others": _("all others ended"),
    "join": _("joined"),
    "move": _("moved"),
    "open": _("opened again"),
    "publish": _("published"),
    "remove": _("removed"),
    "remove_authenticator": _("second factor removed"),
    "renew_recovery_codes": _("recovery codes renewed"),
    "rename": _("renamed"),
    "reopen": _("opened again"),
    "resend": _("sent again"),
    "reset_password": _("password reset"),
    "reset_second_factor": _("second factor reset"),
    "resolve": _("settled"),
    "revoke": _("revoked"),
    "rotate": _("rotated"),
    "set_password": _("password set"),
    "share": _("shared"),
    "sign_in": _("signed in"),
    "sign_in_failed": _("sign-in failed"),
    "start": _("started"),
    "stop": _("stopped"),
    "submit": _("started"),
    "unshare": _("not shared any more"),
    "update": _("changed"),
    "withdraw": _("withdrawn"),
}
GRAVE = {
    "cancel",
    "close",
    "delete",
    "disable",
    "remove",
    "remove_authenticator",
    "revoke",
    "sign_in_failed",
    "withdraw",
}
"""Verbs after which something is gone, or should be looked at."""


def things() -> list[tuple[str, str]]:
    """Every noun with its word, for a filter."""
    return [(noun, gettext(word)) for noun, (word, _icon) in THINGS.items()]


def in_words(action: str) -> dict[str, str]:
    """{"thing", "deed", "icon", "tone"} in the reader's language; what is not known here keeps its own words."""
    noun, _dot, verb = action.partition(".")
    thing, icon = THINGS.get(noun, (noun.replace("_", " "), "circle"))
    deed = DEEDS.get(verb, verb.replace("_", " "))
    return {"thing": gettext(thing), "deed": gettext(deed), "icon": icon, "tone": "bad" if verb in GRAVE else ""}
