from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The orders of the API's list of jobs: by state and by priority."""

    atomic = False
    dependencies = [("gpucloud", "0005_quota")]
    operations = [
        AddIndexConcurrently("job", models.Index(fields=["project", "state"], name="job_project_state")),
        AddIndexConcurrently("job", models.Index(fields=["project", "priority"], name="job_project_priority")),
    ]
