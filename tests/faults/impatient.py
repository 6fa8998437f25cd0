"""The Celery application at a broker that takes a task for lost after a second, and gives it to somebody else."""

from aifs.celery import app

app.conf.task_acks_late = True
app.conf.broker_transport_options = app.conf.broker_transport_options | {"visibility_timeout": 1}
