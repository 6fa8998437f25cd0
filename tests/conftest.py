"""Real PostgreSQL and Redis for every test run, in an AIFS_HOME of its own; never a developer's `var/`.

The servers run before Django's settings are read: the environment names them, and xdist's workers inherit it.
"""

import gc
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pytest_django.fixtures import _disable_migrations

from aifs.embedded.ports import free_port
from aifs.embedded.redis import Redis
from tests import servers

FAULTS = Path(__file__).with_name("faults")
SHARED_DATA = servers.ROOT.parent / "shared" / "data"
PERMANENT = {"django_content_type", "auth_permission"}
"""Tables that are filled when a database is made, and that no test changes."""
_running: dict[str, Any] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        _take_a_broker(config.workerinput["workerid"])
    elif "home" not in _running:
        _start_servers()
    os.environ["DJANGO_SETTINGS_MODULE"] = "aifs.settings"
    _adjust_settings()


def _start_servers() -> None:
    home = Path(tempfile.mkdtemp(prefix="aifs-test-"))
    url = servers.acquire()
    redis = Redis(home / "redis", free_port(), secrets.token_urlsafe(24), persistent=False)
    redis.start()
    _running.update(home=home, redis=redis, postgres=url)
    for name in [name for name in os.environ if name.startswith("AIFS_")]:
        del os.environ[name]
    os.environ |= {
        "AIFS_HOME": str(home),
        "DATABASE_URL": url.rpartition("/")[0] + f"/run_{os.getpid()}",
        "REDIS_URL": redis.url,
        "STORAGE_URL": f"file://{home / 'storage'}",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "AIFS_PORT": str(free_port()),
        "AIFS_GATEWAY_PORT": str(free_port()),
        "AIFS_GRPC_PORT": str(free_port()),
        "AIFS_NODE_NAME": "test-node",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "DO_NOT_TRACK": "1",
    }


def _take_a_broker(worker: str) -> None:
    """xdist's workers share the Redis, each with a database of its own there: queues have the same names in all, and a
    bell that another's finisher takes is lost."""
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].rpartition("/")[0] + f"/{int(worker.removeprefix('gw')) + 1}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies in tests/faults/ is a fault test, and may take its time."""
    for item in items:
        if FAULTS in item.path.parents:
            item.add_marker(pytest.mark.fault)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector need not walk through it again and again, and servers that run in a
    thread of this process need not see to it."""
    from apps.core import listening

    pytest.MonkeyPatch().setattr(listening, "settle", lambda: None)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes name a test by their number: what packed them may have written the hour into them, and xdist's
    workers must agree on every name."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None


def pytest_unconfigure(config: pytest.Config) -> None:
    if "home" in _running:
        _running["redis"].stop()
        servers.release()
        shutil.rmtree(_running.pop("home"), ignore_errors=True)


def _adjust_settings() -> None:
    """What differs under test: cheap password hashes, no static files, and pages that render before the front end is
    built."""
    from django.conf import settings

    settings.WHITENOISE_USE_FINDERS = False  # every test client would look through all static files first
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    if not Path(settings.DJANGO_VITE["default"]["manifest_path"]).exists():
        settings.DJANGO_VITE = {"default": settings.DJANGO_VITE["default"] | {"dev_mode": True}}


@pytest.fixture(scope="session")
def django_db_use_migrations() -> bool:
    """While an app with tables has no migrations yet, all tables are made from the models."""
    from django.apps import apps

    ours = [app for app in apps.get_app_configs() if app.name.startswith("apps.") and any(app.get_models())]
    return all((Path(app.path) / "migrations").is_dir() for app in ours)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_use_migrations: bool, django_db_blocker: Any
) -> None:
    """Clone the test database from a template that is migrated once for every state of the models."""
    from django.db import connection

    template = f"template_{servers.schema_mark()}_{'migrated' if django_db_use_migrations else 'models'}"
    with servers.locked(servers.directory() / "template.lock"), django_db_blocker.unblock():
        _make_template(template, django_db_use_migrations)
    connection.settings_dict["TEST"]["TEMPLATE"] = template


def _make_template(name: str, use_migrations: bool) -> None:
    from django.core.management import call_command
    from django.db import connection

    fresh, server = f"{name}_new", os.environ["DATABASE_URL"].rpartition("/")[0] + "/"
    with psycopg.connect(server + "postgres", autocommit=True) as session:
        if session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return
        session.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(fresh)))
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(fresh)))
        with psycopg.connect(server + fresh, autocommit=True) as empty:
            empty.execute("CREATE EXTENSION vector")
        if not use_migrations:
            _disable_migrations()
        original = connection.settings_dict["NAME"]
        connection.close()
        connection.close_pool()
        connection.settings_dict["NAME"] = fresh
        try:
            call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
        finally:
            connection.close()
            connection.close_pool()
            connection.settings_dict["NAME"] = original
        session.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(fresh), sql.Identifier(name)))


@pytest.fixture(autouse=True, scope="session")
def quick_flush() -> Iterator[None]:
    """After a test that commits, empty what it filled. Django's own way empties every table, and then makes all
    permissions again."""
    from django.db import connection
    from django.test import TransactionTestCase

    def empty(_case: TransactionTestCase) -> None:
        with connection.cursor() as cursor:
            tables = connection.introspection.django_table_names(only_existing=False, include_views=False)
            names = [sql.Identifier(name).as_string() for name in tables if name not in PERMANENT]
            holds = (f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names)  # noqa: S608 - our tables
            cursor.execute(" UNION ALL ".join(holds))
            if filled := [name for (name,) in cursor.fetchall()]:
                cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")

    patch = pytest.MonkeyPatch()
    patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def own_cache(settings: Any) -> None:
    """Counters of one test (wrong keys, failed sign-ins) are none of the next one's business."""
    settings.CACHES = {"default": settings.CACHES["default"] | {"KEY_PREFIX": secrets.token_hex(8)}}


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """A request leaves the language of its reader behind in this thread."""
    from django.utils import translation

    yield
    translation.deactivate()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets that are not part of the repository."""
    if not SHARED_DATA.exists():
        pytest.skip("the shared data sets are not on this machine")
    return SHARED_DATA


@pytest.fixture
def run_directory(tmp_path: Path) -> Iterator[Path]:
    """An empty run directory with the folders every run has."""
    for name in ("inputs", "outputs", "checkpoints", "scratch"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A whole stack for every test that leaves it whole. Nothing is deployed there but what the tests deploy."""
    from tests.faults import run_processes
    from tests.faults.plant import Plant

    place = Plant(tmp_path_factory.mktemp("plant")).up()
    yield place
    place.down()
    assert not run_processes.of_homes([place.stack.home.path])
