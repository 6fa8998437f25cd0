"""What stands on the tabs of evaluations and deployments, so that they look like anything else that is long."""

import shlex
from pprint import pformat
from typing import Any

from apps.core.access import Actor
from apps.core.lineage import graph_context
from apps.gpucloud import details
from apps.lms import selectors
from apps.lms.models import Deployment, Evaluation

EVALUATION_TABS = ("overview", "logs", "files", "lineage", "spec")
DEPLOYMENT_TABS = ("overview", "metrics", "logs", "lineage", "spec")
EXTERNAL_TABS = ("overview", "spec")
"""Of an endpoint elsewhere, whose work is not seen here."""
PYTHON = """from aifs.sdk import Client

Client(project={project!r}).deployments.create(
    {model!r},
    name={name!r},
    runtime={runtime!r},
    replicas={replicas},
    params={params},
)"""


def evaluation_frame(actor: Actor, evaluation: Evaluation, tab: str, address: str) -> dict[str, Any]:
    """Context of the tabs: those of its job, but the graph stands around what was measured."""
    frame = details.frame(actor, evaluation.job, tab, address, EVALUATION_TABS)
    return frame | (graph_context(actor, "evaluation", evaluation.pk) if tab == "lineage" else {})


def tabs_of(deployment: Deployment) -> tuple[str, ...]:
    return DEPLOYMENT_TABS if deployment.model_version_id else EXTERNAL_TABS


def deployment_frame(actor: Actor, deployment: Deployment, tab: str, address: str, chosen: str) -> dict[str, Any]:
    """Context of the tabs. chosen: id of the instance whose charts or log are shown; else the newest one."""
    frame: dict[str, Any] = {"tab": tab, "tabs": details.tab_links(tab, address, tabs_of(deployment))}
    if tab in ("metrics", "logs"):
        rows = selectors.instance_rows(deployment)
        shown = next((row for row in rows if str(row["instance"].pk) == chosen), rows[0] if rows else None)
        frame |= {"instances": rows, "shown": shown, "address": address}
        if shown:
            frame |= {"job": shown["job"], **(details.charts(actor, shown["job"]) if tab == "metrics" else {})}
    elif tab == "lineage":
        frame |= graph_context(actor, "deployment", deployment.pk)
    elif tab == "spec":
        frame |= {"snippets": snippets(deployment)}
    return frame


def spec(deployment: Deployment) -> dict[str, Any]:
    """What was asked for, exactly: posted again under another name, it deploys the same. An endpoint's key is
    left out."""
    body: dict[str, Any] = {"project": deployment.project.slug, "name": deployment.name}
    if deployment.model_version_id is None:
        external = {"external_url": deployment.external_url, "external_model": deployment.external_model}
        return body | {"runtime": "openai"} | {name: value for name, value in external.items() if value}
    return body | {
        "model": str(deployment.model_version_id),
        "runtime": deployment.runtime,
        "replicas": deployment.replicas,
        "runtime_params": deployment.runtime_params,
    }


def snippets(deployment: Deployment) -> list[dict[str, str]]:
    """[{"title", "code"}]: the spec as JSON and YAML, and how to deploy it again."""
    body = spec(deployment)
    calls = {"aifs": _command(body), "Python": _python(body)} if "model" in body else {}
    return details.written_out(body, "deployments", calls)


def _command(body: dict[str, Any]) -> str:
    parts = ["aifs", "deploy", body["model"], "--name", body["name"], "--runtime", body["runtime"]]
    parts += ["--replicas", str(body["replicas"])]
    for name, value in body["runtime_params"].items():
        if value is not None:
            parts += ["--param", f"{name}={details.argument(value)}"]
    return " ".join(shlex.quote(part) for part in [*parts, "--wait"])


def _python(body: dict[str, Any]) -> str:
    params = pformat(body["runtime_params"], width=88, sort_dicts=False).replace("\n", "\n    ")
    return PYTHON.format(**{**body, "params": params})
