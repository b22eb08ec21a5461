"""The service: `python main.py` prepares the database and serves; each worker runs `worker`."""

import gc

gc.disable()  # what imports make lives for ever: looking for garbage among it is a fifth of the start

import argparse
import asyncio
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, aclosing, contextmanager
from multiprocessing.process import BaseProcess
from typing import Final, NoReturn

import structlog
import uvicorn
from fastapi import FastAPI

from app import demo as demo_service
from app.auth.passwords import PasswordHasher
from app.auth.secret_files import describe_password, load_or_create_password
from app.composition import (
    check_price_source,
    create_app,
    database_of,
    price_feed,
    price_source,
    secret_key,
    warm_up_of,
)
from app.core import logs, metrics
from app.core.errors import AppError, StartupError
from app.core.usernames import normalise_username
from app.database.connections import Database, connections_given, migrate, session, wait_until_ready
from app.database.embedded import start_embedded
from app.policies.load import load_policy
from app.users import service as users_service
from app.web.protocol import HttpProtocol
from config import Settings, get_settings

gc.freeze()
gc.enable()

#: For requests under way; with what comes before and after, a stop stays within five seconds.
_SHUTDOWN_SECONDS: Final = 2
#: Largest message that a WebSocket may send us; it sends a token.
_MESSAGE_BYTES: Final = 4096
#: A worker that is silent for longer is replaced; it is silent while it imports, which a busy machine draws out.
_WORKER_START_SECONDS: Final = 30
_DEMO_PATIENCE_SECONDS: Final = 2.5
#: Of the embedded PostgreSQL, each a process of its own.
_LEAST_CONNECTIONS: Final = 100
_MOST_CONNECTIONS: Final = 1000

_log = structlog.get_logger(__name__)


def worker() -> FastAPI:
    """Return the application of one server process; uvicorn calls this in each."""
    settings = get_settings()
    logs.configure(log_format=settings.log_format, level=settings.log_level)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True, name="parent-watch").start()
    app = create_app(settings)
    gc.freeze()  # it lives as long as the process, as what was imported does
    return app


def _end_with(parent: BaseProcess) -> NoReturn:
    """End this process soon after its parent, even one that was killed."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_SHUTDOWN_SECONDS)
    os._exit(1)


async def prepare(settings: Settings, *, demo: bool) -> None:
    """
    Make the database fit for service: schema, administrator, and demo data where asked for.

    Raises:
        StartupError: the database cannot be reached, is too old or too new, or refuses us.
    """
    database = database_of(settings)
    await wait_until_ready(database, seconds=settings.database_wait_seconds)
    await migrate(database)
    await _check_room(settings, database)
    async with session(database):
        await _ensure_admin(settings)
        if demo and await demo_service.is_empty():
            await _insert_demo(settings)


async def _check_room(settings: Settings, database: Database) -> None:
    """Say so where the database gives fewer connections than the workers may open; a pooler in between may help."""
    given = await connections_given(database)
    if given < settings.connections:
        _log.warning(
            "the workers may open more connections than the database gives", given=given, asked=settings.connections
        )


async def _ensure_admin(settings: Settings) -> None:
    """Make the first administrator; a password that was made for it is shown once, at a terminal."""
    username = normalise_username(settings.admin_username)
    password = settings.admin_password.get_secret_value() if settings.admin_password else None
    created = await users_service.ensure_admin(
        username,
        password=password,
        make_password=lambda: load_or_create_password(settings.data_dir, username),
        passwords=PasswordHasher(),
    )
    if created and password is None:
        _say(describe_password(settings.data_dir, username, reveal=sys.stdout.isatty()))


async def _insert_demo(settings: Settings) -> None:
    """Store demo clients and users at the prices that can be had within a moment."""
    async with aclosing(price_source(settings)) as provider:
        seeded = await demo_service.seed(
            feed=price_feed(settings, provider),
            data_dir=settings.data_dir,
            passwords=PasswordHasher(),
            seconds=_DEMO_PATIENCE_SECONDS,
        )
    if seeded.sampled:
        _log.warning("no live prices; sample prices stand in", symbols=seeded.sampled)
    for username in seeded.users:
        _say(describe_password(settings.data_dir, username, reveal=sys.stdout.isatty()))


def _say(line: str) -> None:
    """Tell whoever started the service; logs go to standard error."""
    print(line, flush=True)


def main() -> None:
    """Run the service until it is told to stop."""
    arguments = _arguments()
    # SIGTERM must unwind, so that the embedded server ends with us and not after us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with ExitStack() as stack:
            _run(get_settings(), stack, demo=arguments.demo)
    except AppError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _run(settings: Settings, stack: ExitStack, *, demo: bool) -> None:
    """Check what can be checked before anything starts, then start one thing after the other, and serve."""
    logs.configure(log_format=settings.log_format, level=settings.log_level)
    _check_port(settings)
    load_policy(settings.margin_policy)
    check_price_source(settings)
    own_database = settings.database_url is None
    warm_up = warm_up_of(settings)
    if warm_up is not None and demo and own_database and not settings.data_dir.exists():
        # Prices for the demo data come next; making the cluster leaves the time to import their client.
        threading.Thread(target=warm_up, daemon=True, name="warm-up").start()
    settings = _with_database(settings, stack)
    secret_key(settings)  # made, or found damaged, once and not by every worker
    asyncio.run(prepare(settings, demo=demo and own_database))
    with _shared_metrics(settings):
        _serve(settings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Serve the margin risk API, by default on http://127.0.0.1:8000, documented at /docs.",
        epilog="Settings come from the environment or .env: DATABASE_URL names a PostgreSQL (unset: an embedded one is "
        "started, with its data under RISK_DATA_DIR), RISK_HOST, RISK_PORT and RISK_WORKERS say where and how to "
        "serve. README.md lists them all.",
    )
    parser.add_argument("--demo", action="store_true", help="put demo data into the embedded database if it is empty")
    return parser.parse_args()


def _check_port(settings: Settings) -> None:
    """Refuse a taken port before a database is started for nothing."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise StartupError(
                f"cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
                "Stop what uses that port, or set RISK_PORT to another."
            ) from error


def _with_database(settings: Settings, stack: ExitStack) -> Settings:
    """
    Return the settings with a database in them: the one they name, or the embedded one, started here.

    Raises:
        StartupError: more connections are asked for than the embedded one is to give.
    """
    if settings.database_url is not None:
        return settings
    if settings.connections > _MOST_CONNECTIONS:
        raise StartupError(
            f"RISK_WORKERS and RISK_POOL_SIZE ask for {settings.connections} database connections; the embedded "
            f"PostgreSQL gives at most {_MOST_CONNECTIONS}. Lower one of them, or set DATABASE_URL."
        )
    connections = max(_LEAST_CONNECTIONS, settings.connections)
    server = stack.enter_context(start_embedded(settings.data_dir, connections=connections))
    os.environ["DATABASE_URL"] = server.url  # noqa: TID251 - how the workers, which are other processes, find it
    get_settings.cache_clear()
    return get_settings()


@contextmanager
def _shared_metrics(settings: Settings) -> Iterator[None]:
    """Give several workers a fresh folder in which to share their counters; a single one needs none."""
    if settings.workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="risk-metrics-") as folder:
        os.environ[metrics.FOLDER_VARIABLE] = folder  # noqa: TID251 - where prometheus_client looks in each worker
        yield


def _serve(settings: Settings) -> None:
    """Serve until a signal; requests under way get a few seconds to finish."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    _say(f"API and documentation: http://{host}:{settings.port}/docs")
    uvicorn.run(
        "main:worker",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        http=HttpProtocol,
        server_header=False,
        proxy_headers=bool(settings.forwarded_allow_ips),
        forwarded_allow_ips=settings.forwarded_allow_ips,
        ws_max_size=_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # costs memory for each stream, and its events are small
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        timeout_worker_healthcheck=_WORKER_START_SECONDS,
    )


if __name__ == "__main__":
    main()
