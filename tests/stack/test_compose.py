"""docker-compose.yml and Dockerfile say nothing that the code does not know. Images are not built here."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from scripts import rules
from tests.servers import ROOT

COMPOSE = ROOT / "docker-compose.yml"
DEMANDED = ("SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "AIFS_URL", "AIFS_GATEWAY_URL", "ALLOWED_HOSTS")
AWS = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
NOT_SETTINGS = {
    "AIFS_READY_FILE": "apps/core/readiness.py", "FORWARDED_ALLOW_IPS": "uvicorn", **dict.fromkeys(AWS, "s3fs")
}  # fmt: skip
"""Variables of our containers that settings.py does not read, and who does."""
NOT_HERE = {"AIFS_DEBUG", "AIFS_GRPC_PORT"}
"""Settings that no container takes: never in production, and read by nothing that runs yet."""
OTHERS = {"postgres", "redis", "vllm"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return yaml.safe_load(COMPOSE.read_text())["services"]


def ours(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in services.items() if name not in OTHERS}


def test_every_command_exists(services: dict[str, dict[str, Any]]) -> None:
    known, checked = get_commands(), 0
    for name, service in ours(services).items():
        line = " ".join(service["command"])
        for command in re.findall(r"manage\.py (\S+)", line):
            assert command in known, name
            checked += 1
        for module in re.findall(r"python -m (\S+)", line):
            assert importlib.util.find_spec(module) or importlib.util.find_spec(f"{module}.__main__"), name
            checked += 1
        if line.startswith("celery -A"):
            assert importlib.util.find_spec(line.split()[2])
            checked += 1
    assert checked == len(ours(services)) + 1  # migrate has two


def test_every_environment_name_is_a_setting(services: dict[str, dict[str, Any]]) -> None:
    known = rules.settings_read() | rules.OUTSIDE_SETTINGS | NOT_SETTINGS.keys()
    for name, service in ours(services).items():
        assert not service["environment"].keys() - known, name
    assert "AIFS_READY_FILE" in (ROOT / NOT_SETTINGS["AIFS_READY_FILE"]).read_text()


def test_every_setting_reaches_the_containers(services: dict[str, dict[str, Any]]) -> None:
    """Also the ports: they are what is published, the containers themselves keep to the usual ones."""
    taken = {name for service in ours(services).values() for name in service["environment"]}
    published = set(re.findall(r"127\.0\.0\.1:\$\{(\w+):-", COMPOSE.read_text()))
    assert rules.settings_read() | rules.OUTSIDE_SETTINGS == (taken - NOT_SETTINGS.keys()) | published | NOT_HERE


def test_every_process_has_what_it_needs(services: dict[str, dict[str, Any]]) -> None:
    assert set(ours(services)) == {
        "migrate", "web", "gateway", "scheduler", "control", "worker", "gpu-worker"
    }  # fmt: skip
    for name, service in services.items():
        assert name == "migrate" or service["healthcheck"], name
    for name, service in ours(services).items():
        assert service["cap_drop"] == ["ALL"] and service["init"] is True, name
        waits = service["depends_on"]
        assert waits["postgres"] == waits["redis"] == {"condition": "service_healthy"}
        assert name == "migrate" or waits["migrate"] == {"condition": "service_completed_successfully"}
    assert services["gpu-worker"]["profiles"] == ["gpu"] and services["vllm"]["profiles"] == ["vllm"]


def test_nothing_listens_beyond_the_machine_and_no_secret_has_a_default(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    text = COMPOSE.read_text()
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        assert set(re.findall(rf"\$\{{{name}(.)", text)) == {":"} and f"${{{name}:-" not in text


def test_base_images_are_pinned() -> None:
    compose = re.findall(r"image: (\S+)", COMPOSE.read_text())
    dockerfile = re.findall(r"^ARG (?:PYTHON|NODE)=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    tags = [image.partition(":")[2] for image in compose if not image.startswith("aifs-")] + dockerfile
    assert len(tags) == 5
    assert all(re.search(r"\d+\.\d+\.\d+", tag) for tag in tags), tags


def test_the_dockerfile_copies_what_is_there(services: dict[str, dict[str, Any]]) -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    stages = [match[1] for line in lines if (match := re.match(r"FROM .* AS (\S+)", line))]
    for service in ours(services).values():
        assert service["build"]["target"] in stages
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), line
        if match := re.match(r"COPY --from=(\S+)", line):
            assert match[1] in stages
    ends = "\n".join(lines).split("\nFROM ")[-2:]
    assert all("\nUSER aifs\n" in end for end in ends)


def compose(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Debian's docker-compose, on a copy: no .env of this checkout is read."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("there is no docker-compose on this machine; Debian's package docker-compose brings one")
    shutil.copy(COMPOSE, tmp_path)
    path = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    return subprocess.run(
        [program, *arguments], cwd=tmp_path, env=path | environment, capture_output=True, text=True, check=False
    )  # fmt: skip


def test_docker_compose_accepts_it(tmp_path: Path) -> None:
    given = {name: f"value-of-{name}" for name in DEMANDED}
    done = compose(tmp_path, "--profile", "gpu", "--profile", "vllm", "config", **given)
    assert done.returncode == 0, done.stderr
    shown = yaml.safe_load(done.stdout)["services"]
    assert shown["web"]["environment"]["SECRET_KEY"] == "value-of-SECRET_KEY"
    assert shown["worker"]["environment"]["AIFS_NODE_HOST"] == "worker"
    assert not shown["web"]["environment"].get("EMAIL_URL") and not shown["web"]["environment"].get("AWS_ENDPOINT_URL")


def test_docker_compose_hands_on_what_the_environment_file_sets(tmp_path: Path) -> None:
    chosen = {"EMAIL_URL": "smtp://mail.example:587", "AIFS_LEASE_S": "30", "STORAGE_URL": "s3://files/aifs"}
    lines = [f"{name}=value" for name in DEMANDED] + [f"{name}={value}" for name, value in chosen.items()]
    (tmp_path / ".env").write_text("\n".join(lines))
    done = compose(tmp_path, "config")
    assert done.returncode == 0, done.stderr
    for name, service in ours(yaml.safe_load(done.stdout)["services"]).items():
        assert chosen.items() <= service["environment"].items(), name


@pytest.mark.parametrize("missing", DEMANDED)
def test_docker_compose_demands_what_has_no_default(tmp_path: Path, missing: str) -> None:
    done = compose(tmp_path, "config", **{name: "value" for name in DEMANDED if name != missing})
    assert done.returncode != 0
    assert missing in done.stderr
