"""A project in which everything exists once, so that every route leads to something real.

Whatever has a name is called `thing`, whatever is counted is number 1.
"""

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from allauth.usersessions.models import UserSession
from django.urls import reverse

from apps.core.models import Artefact, AuditEvent, Membership
from apps.core.services import create_comment, invite_member, share_artefact
from apps.core.storage import storage
from apps.datasets.services import add_version
from apps.gpucloud.models import Job, JobState, Quota
from apps.gpucloud.services import submit_job
from apps.lms.models import Deployment
from apps.lms.services import register_evaluation
from apps.lms.services.models import register_model_version
from apps.prompts import services as prompts
from tests.datasets.making import ROWS, as_lines
from tests.factories import House, make_house
from tests.gpucloud.pieces import gpu, make_node
from tests.lmt.making import META
from tests.prompts.factories import MESSAGES, VARIABLES
from tests.workers.datasets.running import run_clean, run_import

NAME = "thing"


@dataclass
class Furnished:
    """ids: what stands in the place of `<pk>` or of an argument of that name. token: of an open invitation."""

    house: House
    ids: dict[str, str]
    token: str

    def address(self, name: str, arguments: set[str]) -> str:
        """The route with real objects in its places."""
        return reverse(name, kwargs={argument: self._value(name, argument) for argument in arguments - {"format"}})

    def _value(self, route: str, argument: str) -> Any:
        fixed = {
            "project": self.house.project.slug, "name": NAME, "number": 1, "kind": "gpucloud.check",
            "token": self.token, "type": "dataset_version", "path": "config.json",
        }  # fmt: skip
        if argument in fixed:
            return fixed[argument]
        if argument == "pk":
            return self.ids[max((name for name in self.ids if route.startswith(f"{name}-")), key=len)]
        if argument == "id":
            return self.ids["evaluation" if route == "lms:evaluation_detail" else "dataset-version"]
        if argument == "version" and route.startswith("datasets:"):
            return self.ids["dataset-version"]
        return self.ids[argument]


@lru_cache(maxsize=1)
def _made() -> tuple[Any, Any, Any]:
    """(manifest, meta) of a cleaned dataset, and the manifest of a model: stored once for all tests."""
    with tempfile.TemporaryDirectory(prefix="aifs-furnished-") as name:
        folder = Path(name)
        outcome = run_clean(folder / "clean", run_import(folder / "import", as_lines(ROWS), "rows.jsonl"))
        model = folder / "model"
        model.mkdir()
        (model / "config.json").write_text("{}")
        return storage().put_tree(outcome.directory / "outputs/dataset"), outcome.meta, storage().put_tree(model)


def furnish(slug: str = "harbour") -> Furnished:
    house = make_house(slug)
    manifest, meta, model_manifest = _made()
    owner, project = house.actor(), house.project
    rows = add_version(project, NAME, manifest=manifest, meta=meta, created_by=house.owner)
    weights = register_model_version(project, NAME, {"manifest": model_manifest, "meta": META})
    deployment = Deployment.objects.create(project=project, name=NAME, model_version=weights)
    tried = Job.objects.create(project=project, kind="lms.evaluate", state=JobState.SUCCEEDED)
    tried.inputs.create(name="model", artefact=weights.artefact)
    found = {"suite": "mmlu", "scores": {"law": {"acc": 0.5, "acc_stderr": 0.1, "n": 4}}, "mean": 0.5, "loss": 1.25}
    evaluation = register_evaluation(tried, {"manifest": {}}, found)
    prompt = prompts.create_prompt(owner, project, NAME)
    content = {"messages": MESSAGES, "variables": VARIABLES, "settings": {"temperature": 0}, "deployment": deployment}
    spoken = prompts.create_version(owner, prompt, **content)
    service = prompts.publish_version(owner, spoken, NAME)
    job = submit_job(owner, project, "gpucloud.check", {}, name=NAME)
    wanted = {"model": str(weights.pk), "dataset": str(rows.pk), "name": "tuned"}
    run = submit_job(owner, project, "lmt.sft", wanted, name=NAME)
    invitation, token = invite_member(owner, project, f"guest-{slug}@example.com", "viewer")
    house.key("owner")
    node = make_node(devices=[gpu(0)])
    upload = project.uploads.create(user=house.owner, filename="rows.jsonl", size_bytes=8)
    view = house.owner.saved_views.create(list="gpucloud:job_list", name=NAME, query="state=active")
    told = house.owner.notifications.create(project=project, event="job.failed", data={"job": NAME})
    hook = project.webhooks.create(url="https://1.1.1.1/", secret="sealed", events=["job.failed"])
    said = create_comment(owner, project, "dataset_version", rows.pk, NAME)
    session = UserSession.objects.create(user=house.owner, session_key=f"of-{slug}", ip="192.0.2.1", user_agent="x")
    share = share_artefact(owner, rows.artefact, team=project.team_id)
    rows_of = {
        "dataset": rows.dataset, "dataset-version": rows, "model": weights.model, "model-version": weights,
        "evaluation": evaluation, "deployment": deployment, "prompt": prompt, "prompt-version": spoken,
        "prompt-service": service, "job": job, "run": run, "node": node, "accelerator": node.accelerators.first(),
        "project": project, "member": Membership.objects.get(project=project, user=house.viewer),
        "api-key": house.owner.api_keys.first(), "audit-event": AuditEvent.objects.filter(project=project).first(),
        "artefact": Artefact.objects.get(pk=rows.pk), "upload": upload, "invitation": invitation, "view": view,
        "notification": told, "webhook": hook, "comment": said, "share": share,
        "session": session,
        "team": project.team, "quota": Quota.objects.create(project=project, cpus=64),
    }  # fmt: skip
    ids = {name: str(row.pk) for name, row in rows_of.items()}
    return Furnished(house, ids | {"key": ids["api-key"], "job-kind": "gpucloud.check"}, token)
