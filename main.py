"""The service: `python main.py` starts it; `create_app` is what a server or a test runs."""

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
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager, contextmanager
from multiprocessing.process import BaseProcess
from typing import Final, NoReturn

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from tortoise.contrib.fastapi import RegisterTortoise

from app import logs, metrics
from app.db import DATABASE_DOWN, Database, migrate, session, tortoise_config, wait_until_ready
from app.embedded import start_embedded
from app.errors import AppError, StartupError
from app.monitor.hub import Hub, Limits
from app.monitor.leader import Leader
from app.monitor.listen import Listener
from app.monitor.live_book import LiveBook
from app.monitor.pool_watch import watch_pool
from app.monitor.refresh import Pace, Refresher
from app.monitor.review import Reviewer
from app.monitor.tasks import on_stop, running
from app.monitor.ticker import Ticker
from app.monitor.webhooks import WebhookSender
from app.policies.active import ActivePolicy
from app.policies.load import load_policy
from app.providers import build_provider
from app.providers.base import PriceProvider
from app.providers.threads import DaemonExecutor
from app.routers import (
    audit,
    auth,
    clients,
    context,
    deps,
    errors,
    event_wire,
    events,
    health,
    instruments,
    margin,
    margin_book,
    margin_calls,
    openapi,
    positions,
    socket_stream,
    stocks,
    users,
    webhooks,
)
from app.routers import metrics as metrics_routes
from app.security import (
    PasswordHasher,
    TokenSigner,
    describe_password,
    load_or_create_password,
    load_or_create_secret,
)
from app.services import demo as demo_service
from app.services import price_gate
from app.services import prices as prices_service
from app.services import users as users_service
from app.services.auth import Auth
from app.services.login_limits import LoginLimits
from app.services.valued import Valuation
from app.services.webhook_address import Addresses, system_resolver
from app.usernames import normalise_username
from config import Settings, get_settings

_ROUTERS: Final = (
    auth,
    users,
    stocks,
    clients,
    positions,
    margin_book,
    margin,
    margin_calls,
    instruments,
    audit,
    events,
    socket_stream,
    webhooks,
    health,
    metrics_routes,
)
#: For requests under way; with what comes before and after, a stop stays within five seconds.
_SHUTDOWN_SECONDS: Final = 2
#: Largest message that a WebSocket may send us; it sends a token.
_MESSAGE_BYTES: Final = 4096
#: A worker that is silent for longer is replaced; it is silent while it imports, which a busy machine draws out.
_WORKER_START_SECONDS: Final = 30
_DEMO_PATIENCE_SECONDS: Final = 2.5
#: Look-ups of receivers' names at once; one that nobody answers takes its thread for half a minute.
_RESOLVER_THREADS: Final = 16

_log = structlog.get_logger(__name__)


def create_app(settings: Settings, *, provider: PriceProvider | None = None) -> FastAPI:
    """Return the application; `provider` replaces the configured price source."""
    app = FastAPI(
        title=openapi.TITLE,
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        separate_input_output_schemas=False,
    )
    app.state.settings = settings
    app.state.provider = provider or price_source(settings)
    price_gate.configure(jump_limit=settings.price_jump_limit)
    app.state.policy = ActivePolicy.of(load_policy(settings.margin_policy))
    app.state.book = LiveBook(
        Valuation(app.state.policy, settings.warning_cushion), base_currency=settings.base_currency
    )
    app.state.auth = Auth(
        signer=TokenSigner(_secret(settings), seconds=settings.access_token_seconds),
        limits=LoginLimits(attempts=settings.login_attempts, window_seconds=settings.login_window_seconds),
        refresh_seconds=settings.refresh_token_seconds,
    )
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=settings.max_body_bytes)
    app.add_middleware(context.RequestContext, seconds=settings.request_seconds, max_body_bytes=settings.max_body_bytes)
    for module in _ROUTERS:
        app.include_router(module.router)
    errors.install(app, database_down=DATABASE_DOWN)
    openapi.install(app)
    return app


def database_of(settings: Settings) -> Database:
    """Return where this process finds its database."""
    assert settings.database_url is not None, "main() starts the embedded server and names it"
    return Database(
        url=settings.database_url.get_secret_value(),
        pool_size=settings.pool_size,
        statement_cache_size=settings.statement_cache_size,
    )


def price_source(settings: Settings) -> PriceProvider:
    """
    Return the configured price source; its caller closes it.

    Raises:
        StartupError: the file to replay cannot be used.
    """
    return build_provider(
        settings.price_provider,
        ttl_seconds=settings.price_ttl_seconds,
        replay=settings.replay_plan(),
        newest_replayed=prices_service.newest_replayed,
    )


def _secret(settings: Settings) -> str:
    """Return the key that signs tokens: the configured one, or the one that the first start made."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    return load_or_create_secret(settings.data_dir)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect, serve, let go."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(app.state.provider.aclose)
        database = database_of(app.state.settings)
        await stack.enter_async_context(RegisterTortoise(app, config=tortoise_config(database)))
        listener = Listener(database, ("event", "book"))
        hub = app.state.streams = _hub(app, listener)
        await stack.enter_async_context(running(listener.run(), hub.run(), watch_pool()))
        stack.callback(hub.close)
        stack.enter_context(on_stop(hub.close))
        threads = DaemonExecutor(_RESOLVER_THREADS, name="resolver")
        stack.callback(threads.close)
        app.state.addresses = Addresses(
            resolve=system_resolver(threads), allow_private=app.state.settings.webhook_allow_private
        )
        if app.state.settings.monitor:
            sender = WebhookSender(
                signal=listener.signal("event"), addresses=app.state.addresses, encode=event_wire.as_json
            )
            await stack.enter_async_context(running(_leader(app, database, listener).run(), sender.run()))
        yield


def _leader(app: FastAPI, database: Database, listener: Listener) -> Leader:
    """Return what refreshes prices and looks after margin calls, where this process is the one that does."""
    settings: Settings = app.state.settings
    terms = deps.get_call_terms(settings, deps.get_terms(settings, app.state.policy))
    is_replay = settings.price_provider == "replay"
    # A replayed day is asked for twice, so that a price that waits for a second answer gets it on its day.
    pace = Pace(0.5 / settings.replay_pace if is_replay else settings.poll_seconds, is_replay=is_replay)
    return Leader(
        database,
        reviewer=Reviewer(app.state.book, terms=terms, settle_seconds=settings.call_settle_seconds),
        refresher=Refresher(app.state.provider, base_currency=settings.base_currency, pace=pace),
        signal=listener.signal("book"),
        terms=terms,
    )


def _hub(app: FastAPI, listener: Listener) -> Hub:
    """Return what feeds the streams of this process."""
    settings: Settings = app.state.settings
    return Hub(
        ticker=Ticker(app.state.book, currency=settings.base_currency),
        listener=listener,
        limits=Limits(
            streams=settings.max_streams,
            streams_per_user=settings.max_streams_per_user,
            queue=settings.stream_queue,
        ),
    )


def worker() -> FastAPI:
    """Return the application of one server process; uvicorn calls this in each."""
    settings = get_settings()
    logs.configure(log_format=settings.log_format, level=settings.log_level)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True, name="parent-watch").start()
    return create_app(settings)


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
    async with session(database):
        await _ensure_admin(settings)
        if demo and await demo_service.is_empty():
            await _insert_demo(settings)


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
            provider=provider,
            base_currency=settings.base_currency,
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
    if settings.price_provider == "replay":
        price_source(settings)  # reads the file
    own_database = settings.database_url is None
    settings = _with_database(settings, stack)
    _secret(settings)  # made, or found damaged, once and not by every worker
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
    """Return the settings with a database in them: the one they name, or the embedded one, started here."""
    if settings.database_url is not None:
        return settings
    server = stack.enter_context(start_embedded(settings.data_dir))
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
        server_header=False,
        proxy_headers=bool(settings.forwarded_allow_ips),
        forwarded_allow_ips=settings.forwarded_allow_ips,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        timeout_worker_healthcheck=_WORKER_START_SECONDS,
    )


if __name__ == "__main__":
    main()
