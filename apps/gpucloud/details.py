"""What stands on the tabs of anything long: jobs, and whatever has or had one use these, so that all look alike."""

import json
import shlex
from collections.abc import Collection
from dataclasses import dataclass, field
from pprint import pformat
from typing import Any
from uuid import UUID

import yaml
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.core import artefact_types
from apps.core.access import Actor
from apps.core.errors import NotFound
from apps.core.lineage import graph_context
from apps.core.models import Artefact
from apps.gpucloud import costs, selectors, shown
from apps.gpucloud.handlers import handler_for
from apps.gpucloud.models import Job, JobState
from apps.gpucloud.shown import title_of
from workers.kinds import kinds

TABS = {
    "overview": _("Overview"),
    "metrics": _("Metrics"),
    "logs": _("Logs"),
    "files": _("Inputs & outputs"),
    "lineage": _("Lineage"),
    "spec": _("Spec"),
}
ARTEFACT_TABS = ("overview", "lineage", "spec")
CURL = """curl {url}/api/v1/{collection}/ \\
  -H "Authorization: Bearer $AIFS_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d {body}"""
PYTHON = """from aifs.sdk import Client

job = Client(project={project!r}).jobs.start(
    {kind!r},
    {params},{more}
)
job.wait(progress=True)"""


def tab_of(request: HttpRequest, tabs: Collection[str] = tuple(TABS)) -> str:
    """The tab that `?tab=` names; the overview for anything else."""
    tab = request.GET.get("tab", "")
    return tab if tab in tabs else "overview"


def tab_links(tab: str, address: str, tabs: Collection[str] = tuple(TABS)) -> list[dict[str, Any]]:
    """What `ui/tabs.html` draws, in the order in which tabs stand everywhere."""
    return [
        {
            "label": gettext(label),
            "url": address if name == "overview" else f"{address}?tab={name}",
            "active": name == tab,
            "count": None,
        }
        for name, label in TABS.items()
        if name in tabs
    ]


def frame(actor: Actor, job: Job, tab: str, address: str, tabs: Collection[str] = tuple(TABS)) -> dict[str, Any]:
    """Context of `gpucloud/_frame.html` and `gpucloud/_tab.html` for one tab of a job whose page is at an address."""
    return {
        "job": job,
        "kind_label": shown.kind_label(job.kind),
        "title": title_of(job),
        "repeats": title_of(job.reproduces) if job.reproduces else "",
        "reason": shown.reason(job.reason),
        "progress": shown.bar(job.progress),
        "took_s": shown.duration_s(job),
        "tab": tab,
        "tabs": tab_links(tab, address, tabs),
        "active": job.state in Job.ACTIVE,
        "trains": publishes(job.kind),
        "has_checkpoints": selectors.list_checkpoints(job).filter(broken_at__isnull=True).exists(),
        "match": shown.match(job),
        "reproductions": [
            {"job": row, "match": shown.match(row)} for row in selectors.list_reproductions(job)[:5]
        ] if job.state == JobState.SUCCEEDED else [],
        "may_reproduce": job.state == JobState.SUCCEEDED and not job.service,
        **CONTEXT[tab](actor, job),
    }  # fmt: skip


def thing_frame(
    request: HttpRequest, type: str, id: UUID, address: str, tabs: Collection[str] = ARTEFACT_TABS
) -> dict[str, Any]:
    """Context of one tab of anything that stands in graphs and whose page is at an address."""
    tab = tab_of(request, tabs)
    graph = graph_context(request.actor, type, id) if tab == "lineage" else {}  # type: ignore[attr-defined]
    return {"tab": tab, "tabs": tab_links(tab, address, tabs), **graph}


def artefact_frame(request: HttpRequest, artefact: Artefact) -> dict[str, Any]:
    """Context of one tab of something made; its spec is that of the job that made it."""
    frame = thing_frame(request, artefact.type, artefact.pk, artefact_types.url(artefact))
    return frame | (made_by(request.actor, artefact) if frame["tab"] == "spec" else {})  # type: ignore[attr-defined]


def _overview(actor: Actor, job: Job) -> dict[str, Any]:
    return {"cost": costs.of_job(job)}


def _metrics(actor: Actor, job: Job) -> dict[str, Any]:
    return charts(actor, job)


def charts(actor: Actor, job: Job) -> dict[str, Any]:
    """Checkpoints to mark on the charts, what may be done with them, and what the model answered along the way."""
    whole = list(selectors.list_checkpoints(job).filter(broken_at__isnull=True))
    may = actor.may("run_simple", job.project)
    return {
        "checkpoints": whole,
        "markers": json.dumps([row.step for row in whole]),
        "may_resume": may and job.state in (JobState.FAILED, JobState.CANCELLED),
        "may_publish": may and publishes(job.kind),
        "suggested": job.params.get("name") or job.name or "model",
        **samples(job),
    }


@dataclass
class Asked:
    """A question, and what was answered in which steps: a stretch of equal answers is told once."""

    question: str
    expected: str
    answers: list[dict[str, Any]] = field(default_factory=list)
    """[{"first", "last", "text"}]: from step, to step, the answer."""

    def add(self, step: int, text: str) -> None:
        if self.answers and self.answers[-1]["text"] == text:
            self.answers[-1]["last"] = step
        else:
            self.answers.append({"first": step, "last": step, "text": text})


def samples(job: Job) -> dict[str, Any]:
    """{"samples"}: each question with its answers in the order of the steps."""
    asked: dict[str, Asked] = {}
    for row in selectors.list_samples(job):
        for answer in row["answers"]:
            question = asked.setdefault(answer["question"], Asked(answer["question"], answer["expected"]))
            question.add(row["step"], answer["answer"])
    return {"samples": list(asked.values())}


def publishes(kind: str) -> bool:
    try:
        return handler_for(kind).publishes
    except NotFound:
        return False


def _main_output(job: Job) -> str:
    """Id of the output that one would use next; empty where none is named."""
    try:
        name = handler_for(job.kind).main_output
    except NotFound:
        return ""
    return str((job.outputs.get(name) or {}).get("id", ""))


def _files(actor: Actor, job: Job) -> dict[str, Any]:
    inputs = [
        {
            "name": param_label(job.kind, name),
            "artefact": artefact,
            "url": url,
            "type": artefact_types.label(artefact.type),
        }
        for name, artefact, url in selectors.list_inputs(job)
    ]
    return {"inputs": inputs, "outputs": outputs(job)}


def param_label(kind: str, name: str) -> str:
    """What the form of a kind calls a parameter; its own name when the plug-in is gone."""
    field = kinds.get(kind).params.model_fields.get(name) if kind in kinds else None
    return gettext(field.title) if field and field.title else name


def outputs(job: Job) -> list[dict[str, Any]]:
    """What it made, the main thing first, each with its address."""
    made = Artefact.objects.filter(project_id=job.project_id, job_id=job.pk).select_related("project").order_by("id")
    main = _main_output(job)
    return [
        {"artefact": artefact, "url": artefact_types.url(artefact), "type": artefact_types.label(artefact.type)}
        for artefact in sorted(made, key=lambda artefact: str(artefact.pk) != main)
    ]


def _lineage(actor: Actor, job: Job) -> dict[str, Any]:
    return graph_context(actor, "job", job.pk)


# --- spec


def _spec(actor: Actor, job: Job) -> dict[str, Any]:
    return {"snippets": snippets(job)}


def made_by(actor: Actor, artefact: Artefact) -> dict[str, Any]:
    """Context of `gpucloud/_spec.html` for something made, by the rights that the page of its job asks for. No snippets
    when its project has no such job: it was made elsewhere, or the job is gone."""
    job = maker_of(actor, artefact)
    return {"snippets": snippets(job), "maker": job} if job else {"snippets": []}


def maker_of(actor: Actor, artefact: Artefact) -> Job | None:
    """The job that made it, if its project still has one."""
    try:
        return selectors.get_job(actor, str(artefact.job_id), artefact.project)
    except NotFound:
        return None


def spec(job: Job) -> dict[str, Any]:
    """What was asked for, exactly: posted again, it starts the same job."""
    body: dict[str, Any] = {"project": job.project.slug, "kind": job.kind, "params": job.params, "name": job.name}
    return body | {"resources": job.resources, "seed": job.seed, "priority": job.priority}


def snippets(job: Job) -> list[dict[str, str]]:
    """[{"title", "code"}]: the spec as JSON and YAML, and how to start it again."""
    body = spec(job)
    return written_out(body, "jobs", {"aifs": command(job), "Python": _python(job)})


def written_out(body: dict[str, Any], collection: str, calls: dict[str, str]) -> list[dict[str, str]]:
    """[{"title", "code"}]: what was asked of a collection as JSON and YAML, the calls that do it again, and curl."""
    curl = CURL.format(
        url=settings.AIFS_URL.rstrip("/"),
        collection=collection,
        body=shlex.quote(json.dumps(body, ensure_ascii=False, indent=1)),
    )
    codes = {
        "JSON": json.dumps(body, ensure_ascii=False, indent=2),
        "YAML": yaml.safe_dump(body, allow_unicode=True, sort_keys=False),
        **calls,
        "curl": curl,
    }
    return [{"title": title, "code": code} for title, code in codes.items()]


def command(job: Job) -> str:
    """The `aifs` command that starts the same job. What reads as JSON is read so, hence texts that would are quoted."""
    parts = ["aifs", "job", "start", job.kind]
    for name, value in job.params.items():
        if value is not None:
            parts += ["--param", f"{name}={argument(value)}"]
    for name, value in job.resources.items():
        if value:
            parts += ["--resource", f"{name}={value}"]
    if job.name:
        parts += ["--name", job.name]
    parts += ["--seed", str(job.seed), "--wait"]
    return " ".join(shlex.quote(part) for part in parts)


def argument(value: Any) -> str:
    """A value as `--param` reads it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        return text
    try:
        json.loads(value)
    except ValueError:
        return json.dumps(value, ensure_ascii=False) if value.startswith("@") else value
    return json.dumps(value, ensure_ascii=False)


def _python(job: Job) -> str:
    options = {"name": job.name, "resources": job.resources, "seed": job.seed, "priority": job.priority}
    more = "".join(f"\n    {name}={value!r}," for name, value in options.items() if value not in ("", 0, {}))
    return PYTHON.format(
        project=job.project.slug,
        kind=job.kind,
        params=pformat(job.params, width=88, sort_dicts=False).replace("\n", "\n    "),
        more=more,
    )


CONTEXT = {
    "overview": _overview,
    "metrics": _metrics,
    "logs": lambda actor, job: {},
    "files": _files,
    "lineage": _lineage,
    "spec": _spec,
}
