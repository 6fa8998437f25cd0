"""`stack.env`: random secrets made once, ports that follow the environment, servers of others left alone."""

import socket
import stat
from pathlib import Path

from aifs.embedded.home import Configuration, Home


def configuration(path: Path, running: tuple[str, ...] = (), **environment: str) -> Configuration:
    home = Home(path)
    home.make()
    made = Configuration(home, environment, running)
    made.save()
    return made


def test_secrets_are_random_and_stay(tmp_path: Path) -> None:
    first, again = configuration(tmp_path / "a"), configuration(tmp_path / "a")
    other = configuration(tmp_path / "b")
    assert first.values == again.values
    for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
        assert first.values[name] != other.values[name]
    assert stat.S_IMODE(first.home.stack_env.stat().st_mode) == 0o600


def test_ports_follow_the_environment_and_stay(tmp_path: Path) -> None:
    assert configuration(tmp_path).values["AIFS_PORT"] == "8000"
    assert configuration(tmp_path, AIFS_PORT="9100").values["AIFS_URL"] == "http://127.0.0.1:9100"
    assert configuration(tmp_path).values["AIFS_PORT"] == "9100"


def test_servers_of_others_are_left_alone(tmp_path: Path) -> None:
    made = configuration(tmp_path, DATABASE_URL="postgresql://u:p@db/aifs", REDIS_URL="redis://:p@bell/0")
    assert made.postgres is None
    assert made.redis is None
    assert made.database_url == "postgresql://u:p@db/aifs"
    assert "DATABASE_URL" not in made.values


def test_a_server_moves_when_its_port_was_taken(tmp_path: Path) -> None:
    first = configuration(tmp_path)
    assert first.postgres is not None
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", first.postgres.port))
        thief.listen()
        moved, kept = configuration(tmp_path), first.postgres.port
        assert moved.postgres is not None
        assert moved.postgres.port != kept
        assert moved.postgres.password == first.postgres.password


def test_a_running_server_keeps_its_port(tmp_path: Path) -> None:
    first = configuration(tmp_path)
    assert first.postgres is not None
    with socket.socket() as itself:
        itself.bind(("127.0.0.1", first.postgres.port))
        itself.listen()
        same = configuration(tmp_path, running=("postgres",))
        assert same.postgres is not None
        assert same.postgres.port == first.postgres.port
