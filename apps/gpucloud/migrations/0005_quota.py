import django.db.models.deletion
from django.db import migrations, models

import apps.core.ids


class Migration(migrations.Migration):
    """What a project may hold at once."""

    dependencies = [
        ("core", "0006_share"),
        ("gpucloud", "0004_job_list_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="Quota",
            fields=[
                (
                    "id",
                    models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("accelerators", models.PositiveIntegerField(blank=True, null=True)),
                ("cpus", models.PositiveIntegerField(blank=True, null=True)),
                ("memory_mib", models.PositiveIntegerField(blank=True, null=True)),
                ("running_jobs", models.PositiveIntegerField(blank=True, null=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "project",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="quota", to="core.project"
                    ),
                ),
            ],
        ),
    ]
