from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The orders of the list of jobs: by time (ids sort by it) and by name."""

    atomic = False
    dependencies = [("gpucloud", "0003_reproduction")]
    operations = [
        AddIndexConcurrently("job", models.Index(fields=["project", "name", "id"], name="job_project_name")),
        AddIndexConcurrently("job", models.Index(fields=["project", "id"], name="job_project_id")),
    ]
