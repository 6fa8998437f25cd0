"""What an operator runs in production passes Django's own checks for it."""

import os
import secrets
import subprocess
import sys

from tests.servers import ROOT

SETTINGS = {
    "AIFS_HTTPS": "true",
    "ALLOWED_HOSTS": "aifs.example.org",
    "CSRF_TRUSTED_ORIGINS": "https://aifs.example.org",
    "AIFS_URL": "https://aifs.example.org",
    "EMAIL_URL": "smtps://aifs:secret@mail.example.org",
}


def check(**settings: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SECRET_KEY": secrets.token_urlsafe(60)} | settings
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_check_deploy_is_clean() -> None:
    done = check(**SETTINGS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no issues" in done.stdout + done.stderr


def test_the_check_can_fail() -> None:
    done = check(**SETTINGS | {"AIFS_HTTPS": "false"})
    assert done.returncode != 0
    assert "security.W" in done.stderr


def test_a_mail_address_that_is_none_is_named() -> None:
    done = check(**SETTINGS | {"EMAIL_URL": "ftp://mail.example.org"})
    assert done.returncode != 0
    assert "EMAIL_URL" in done.stderr
