"""The same code against a PostgreSQL, a Redis and a storage that are not ours: told by the environment alone."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from aifs.database import Unusable, check_server
from aifs.embedded.ports import free_port
from tests.servers import ROOT
from tests.stack.foreign import command, foreign_postgres, foreign_redis
from tests.stack.stacks import Stack

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]
SERVICES = {"web", "gateway", "scheduler", "control", "agent"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("foreign")
    with foreign_postgres(folder / "dba") as database, foreign_redis(folder / "redis") as bell:
        (folder / "files").mkdir()
        stack = Stack(folder / "home", DATABASE_URL=database, REDIS_URL=bell, STORAGE_URL=f"file://{folder / 'files'}")
        stack.up()
        yield stack
        stack.down()


def test_no_server_of_ours_runs(stack: Stack) -> None:
    assert set(stack.state["parts"]) == SERVICES
    assert not (stack.home.path / "postgres").exists()
    assert not (stack.home.path / "redis").exists()
    family = [psutil.Process(process.pid) for process in stack.processes().values()]
    names = {member.name() for parent in family for member in [parent, *parent.children(recursive=True)]}
    assert not {name for name in names if "postgres" in name or "redis" in name}


def test_addresses_with_their_passwords_stay_in_the_environment(stack: Stack) -> None:
    written = stack.home.stack_env.read_text()
    assert "DATABASE_URL" not in written and "REDIS_URL" not in written
    logs = "".join(path.read_text(errors="replace") for path in stack.home.path.glob("log/*"))
    for name in ("DATABASE_URL", "REDIS_URL"):
        assert stack.environment[name] not in logs


def test_work_is_done_and_lands_in_the_foreign_places(stack: Stack, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"prompt": f"What is {n}?", "response": str(n)}) + "\n" for n in range(40)))
    done = command(stack.access, "datasets", "import", str(rows), "--name", "numbers", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["rows"] == 40
    done = command(stack.access, "job", "start", "gpucloud.check", "--param", "steps=5", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["state"] == "succeeded"
    with psycopg.connect(stack.environment["DATABASE_URL"]) as session:
        states = session.execute("SELECT kind, state FROM gpucloud_job ORDER BY kind").fetchall()
        hashes = session.execute(
            "SELECT file.value->>'sha256' FROM core_artefact, jsonb_each(manifest) AS file"
        ).fetchall()
    assert states == [("datasets.import", "succeeded"), ("gpucloud.check", "succeeded")]
    storage = Path(stack.environment["STORAGE_URL"].removeprefix("file://"))
    assert hashes and all((storage / "objects" / hash[:2] / hash).is_file() for (hash,) in hashes)
    assert not (stack.home.path / "storage" / "objects").exists()


def test_the_foreign_bell_is_the_one_that_rings(stack: Stack) -> None:
    with redis.Redis.from_url(stack.environment["REDIS_URL"]) as client:
        listeners = {entry["db"] for entry in client.client_list() if entry["cmd"] in {"brpop", "subscribe"}}
        assert "3" in listeners
        assert client.exists("_kombu.binding.control")


def test_an_agent_elsewhere_takes_work(stack: Stack, tmp_path: Path) -> None:
    """Another machine is a name, an address and the same environment; its run directories are its own."""
    key = next(line for line in stack.home.stack_env.read_text().splitlines() if line.startswith("SECRET_KEY="))
    own = {"AIFS_HOME": str(tmp_path), "AIFS_NODE_NAME": "second", "AIFS_NODE_HOST": "127.0.0.2"}
    environment = stack.environment | own | {"SECRET_KEY": key.partition("=")[2]}
    agent = subprocess.Popen([sys.executable, str(ROOT / "manage.py"), "agent"], env=environment, cwd="/")
    try:
        with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as session:
            wait_for(lambda: session.execute("SELECT 1 FROM gpucloud_node WHERE name = 'second'").fetchone())
            first = session.execute(
                "UPDATE gpucloud_node SET state = 'cordoned' WHERE name <> 'second' RETURNING name"
            ).fetchall()
            done = command(stack.access, "job", "start", "gpucloud.check", "--param", "steps=5", "--wait", "--json")
            assert done.returncode == 0, done.stderr
            ran = session.execute(
                "SELECT node.name, run_dir FROM gpucloud_attempt attempt "
                "JOIN gpucloud_node node ON node.id = node_id WHERE job_id = %s",
                [json.loads(done.stdout.splitlines()[-1])["job"]],
            ).fetchall()
            session.execute("UPDATE gpucloud_node SET state = 'ready' WHERE name = %s", first[0])
    finally:
        agent.terminate()
        agent.wait(60)
    assert [name for name, _place in ran] == ["second"]
    assert ran[0][1].startswith(str(tmp_path))


def wait_for(true: Callable[[], object], timeout_s: float = 30.0) -> None:
    until = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.2)


def test_down_leaves_the_foreign_servers_alone_and_up_finds_everything(stack: Stack) -> None:
    access = stack.access
    stack.down()
    with psycopg.connect(stack.environment["DATABASE_URL"]) as session:
        assert session.execute("SELECT count(*) FROM core_project").fetchone() == (1,)
    with redis.Redis.from_url(stack.environment["REDIS_URL"]) as client:
        assert client.ping()
    stack.up()
    assert stack.access == access
    assert stack.get("/api/v1/datasets/")["results"][0]["name"] == "numbers"


def test_a_wrong_password_is_said(stack: Stack, tmp_path: Path) -> None:
    url = stack.environment["DATABASE_URL"]
    wrong = url.replace(url.split(":")[2].split("@")[0], "guess")
    other = Stack(
        tmp_path / "other", DATABASE_URL=wrong, REDIS_URL=stack.environment["REDIS_URL"],
        STORAGE_URL=stack.environment["STORAGE_URL"],
    )  # fmt: skip
    done = other.command("up")
    assert done.returncode == 1
    assert "DATABASE_URL" in done.stderr and "password authentication failed" in done.stderr
    assert "guess" not in done.stderr and "Traceback" not in done.stderr


def test_a_server_without_the_vector_type_says_what_its_administrator_must_do(stack: Stack) -> None:
    url = stack.environment["DATABASE_URL"]
    with pytest.raises(Unusable, match="CREATE EXTENSION IF NOT EXISTS vector;"):
        check_server(url.rpartition("/")[0] + "/postgres")


def test_a_server_that_is_away_is_named() -> None:
    port = free_port()
    with pytest.raises(Unusable, match=f"127.0.0.1:{port}"):
        check_server(f"postgresql://somebody:secret@127.0.0.1:{port}/aifs")
