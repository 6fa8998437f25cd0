"""The Celery application. Messages carry ids, never objects: the Job row in PostgreSQL is the truth."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aifs.settings")

app = Celery("aifs")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
