"""Names of models and fields as the operators' desk shows them, in the reader's language.

Django names a field after its attribute and never translates that. Writing each name into its field as well would say
everything twice in the models; so the names stand here once, for the catalogue, and are made translatable when a model
comes to the desk.
"""

from typing import Any

from django.db.models import Model
from django.utils.translation import gettext_lazy, override
from django.utils.translation import gettext_noop as _

NAMES = frozenset((
    _("accelerators"), _("accepted at"), _("action"), _("after"), _("agent id"), _("api key"), _("api keys"),
    _("artefact"), _("artefacts"), _("at"), _("attempt count"), _("audit event"), _("audit events"), _("base"),
    _("cached tokens"), _("cancel requested at"), _("card"), _("cloned from"), _("columns"), _("comment"),
    _("completion tokens"), _("context length"), _("cpus"), _("created at"), _("created by"), _("data"), _("dataset"),
    _("dataset version"), _("dataset versions"), _("datasets"), _("deployment"), _("deployments"), _("description"),
    _("disk free mib"), _("dropped"), _("dtype"), _("duration ms"), _("email"), _("enabled"), _("ended at"),
    _("evaluation"), _("evaluations"), _("expires at"), _("external key"), _("external model"), _("external url"),
    _("failures"), _("family"), _("feedback"), _("feedbacks"), _("filename"), _("format"), _("heartbeat at"), _("id"),
    _("invitation"), _("invitations"), _("invited by"), _("ip"), _("job"), _("job id"), _("jobs"), _("joined at"),
    _("kind"), _("labels"), _("language"), _("last seq"), _("last used at"), _("licence"), _("load"), _("loss"),
    _("manifest"), _("match"), _("max attempts"), _("mean"), _("memory mib"), _("messages"), _("meta"), _("metrics"),
    _("model"), _("model version"), _("model versions"), _("models"), _("name"), _("node"), _("nodes"),
    _("not before"), _("note"), _("number"), _("object id"), _("object name"), _("object type"), _("offset bytes"),
    _("outputs"), _("parameters"), _("params"), _("pool"), _("prefix"), _("priority"), _("progress"), _("project"),
    _("projects"), _("prompt"), _("prompt service"), _("prompt services"), _("prompt tokens"), _("prompt version"),
    _("prompt versions"), _("prompts"), _("quarantined"), _("queued at"), _("quota"), _("quotas"), _("reason"),
    _("replaced by"), _("replicas"), _("report"), _("reproduces"), _("resources"), _("response id"),
    _("restarted at"), _("result"), _("revoked at"), _("rights"), _("role"), _("rows"), _("rows in"),
    _("running jobs"), _("runtime"), _("runtime params"), _("score"), _("scores"), _("seed"), _("service"),
    _("settings"), _("sha256"), _("size bytes"), _("slug"), _("source format"), _("started at"), _("state"),
    _("status"), _("suite"), _("team"), _("teams"), _("ttft ms"), _("type"), _("updated at"), _("upload"),
    _("uploads"), _("usage"), _("usages"), _("user"), _("variables"), _("version"), _("wanted"),
))  # fmt: skip


def name_in_readers_language(model: type[Model]) -> None:
    """The names of a model and its fields, where nobody gave them one."""
    options = model._meta
    options.verbose_name_plural = _lazy(options.verbose_name_plural)  # first: it is made of the other
    options.verbose_name = _lazy(options.verbose_name)
    for field in options.concrete_fields:
        field.verbose_name = _lazy(field.verbose_name)


def _lazy(name: Any) -> Any:
    with override("en"):
        english = str(name)
    return gettext_lazy(english) if english in NAMES else name
