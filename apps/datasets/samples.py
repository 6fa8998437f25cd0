"""The rows of the demo for a new project: something to clean, to tune with and to measure with, in one click."""

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.translation import gettext_noop as _

from apps.core.access import Actor
from apps.core.errors import Conflict
from apps.core.models import Project
from apps.core.services import create_upload_from_file
from apps.datasets.models import Dataset
from apps.gpucloud.models import Job
from apps.gpucloud.services import submit_job

SAMPLES = (
    ("instructions.jsonl", "sample-instructions", "auto"),
    ("heldout.jsonl", "sample-heldout", "auto"),
    ("benchmark.jsonl", "sample-benchmark", "evaluation"),
)
"""File, name of the dataset, what it is for."""


def import_samples(actor: Actor, project: Project) -> list[Job]:
    """Start one import for each file. Raises Conflict when the project has one of them already."""
    actor.require("run_simple", project)
    names = [name for _file, name, _kind in SAMPLES]
    if Dataset.objects.filter(project=project, name__in=names).exists():
        raise Conflict(_("The sample data is here already."))
    jobs = []
    for filename, name, kind in SAMPLES:
        content = (settings.SAMPLE_DATA / filename).read_bytes()
        upload = create_upload_from_file(actor, project, SimpleUploadedFile(filename, content))
        params = {"source": str(upload.pk), "name": name, "kind": kind}
        jobs.append(submit_job(actor, project, "datasets.import", params, name=name))
    return jobs
