"""Fences grow over the whole installation, and no two attempts ever share one."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("gpucloud", "0001_initial")]
    operations = [migrations.RunSQL("CREATE SEQUENCE gpucloud_fence", "DROP SEQUENCE gpucloud_fence")]
