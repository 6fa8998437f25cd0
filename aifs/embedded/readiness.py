"""Waiting for the deployments that were ready before the stack went down."""

import time
from typing import Any

import psycopg

from aifs.embedded.home import Configuration, Home
from aifs.embedded.parts import answers

WAIT_S = 60.0
WANTED = """
    SELECT deployment.name FROM lms_deployment deployment
    JOIN core_project project ON project.id = deployment.project_id
    WHERE wanted AND external_url = '' AND project.slug = %s AND EXISTS (
        SELECT FROM lms_instance instance WHERE instance.deployment_id = deployment.id AND instance.ready_at IS NOT NULL
    ) ORDER BY deployment.name
"""
"""Deployments of our own engines, in the project of the key that we ask with, that were ready once."""


def wait_for_deployments(home: Home, access: dict[str, Any], timeout_s: float = WAIT_S) -> None:
    """Return when every wanted deployment answers at the gateway, or when the time is over; say which did not."""
    configuration = Configuration(home, running=("postgres", "redis"))
    with psycopg.connect(configuration.database_url) as connection:
        waiting = [name for (name,) in connection.execute(WANTED, [access["project"]]).fetchall()]
    until = time.monotonic() + timeout_s
    port = configuration.port("AIFS_GATEWAY_PORT")
    while waiting and time.monotonic() < until:
        waiting = [name for name in waiting if not answers(port, f"/v2/models/{name}/ready", access["api_key"])]
        time.sleep(0.3 if waiting else 0)
    if waiting:
        print(f"Still starting after {timeout_s:.0f} s: {', '.join(waiting)}.")
