"""What the application is made of: every part, put together by the settings."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Final

from fastapi import FastAPI
from tortoise.contrib.fastapi import RegisterTortoise

from app import fast_path
from app.audit import routes as audit
from app.auth import routes as auth
from app.auth.access_tokens import TokenSigner
from app.auth.login_limits import LoginLimits
from app.auth.secret_files import load_or_create_secret
from app.auth.service import Auth
from app.book.live_book import LiveBook
from app.book.valuation import ValuationRules
from app.clients import routes as clients
from app.core.executor import DaemonExecutor
from app.core.tasks import on_stop, running
from app.corporate_actions import routes as corporate_actions
from app.database.batch_loader import BatchLoader
from app.database.connections import DATABASE_DOWN, Database, tortoise_config
from app.database.notifications import Listener
from app.database.pool_metrics import watch_pool
from app.events import routes as events
from app.events import websocket_routes as socket_stream
from app.events import wire as event_wire
from app.events.live_feed import LiveFeed
from app.events.monitor import Hub, Limits
from app.exports import routes as exports
from app.idempotency.fingerprints import Fingerprints
from app.imports import routes as imports
from app.instruments import routes as instruments
from app.leader import Leader
from app.margin import routes as margin
from app.margin.explain import MarginSettings
from app.margin.service import MarginLoader
from app.margin_calls import routes as margin_calls
from app.margin_calls.monitor import Reviewer
from app.margin_calls.types import CallSettings, wall_clock
from app.models import CallType
from app.operations import metrics_routes
from app.operations import routes as health
from app.policies.active import ActivePolicy
from app.policies.load import load_policy
from app.positions import routes as positions
from app.positions.service import load_positions
from app.providers.registry import build_provider, check_provider, spec_of
from app.providers.types import PriceProvider, SourceContext
from app.stocks import routes as stocks
from app.stocks import service as stocks_service
from app.stocks.monitor import Pace, Refresher
from app.stocks.service import replay_clock
from app.stocks.types import PriceFeed
from app.users import routes as users
from app.web import limits, openapi
from app.web import middleware as context
from app.web import problems as errors
from app.webhooks import routes as webhooks
from app.webhooks.address_guard import Addresses, system_resolver
from app.webhooks.monitor import WebhookSender
from config import ROOT, Settings

_ROUTERS: Final = (
    auth,
    users,
    stocks,
    clients,
    positions,
    margin,
    margin_calls,
    instruments,
    corporate_actions,
    imports,
    exports,
    audit,
    events,
    socket_stream,
    webhooks,
    health,
    metrics_routes,
)
#: Look-ups of receivers' names at once; one that nobody answers takes its thread for half a minute.
_RESOLVER_THREADS: Final = 16


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
    app.state.feed = price_feed(settings, provider or price_source(settings))
    app.state.policy = ActivePolicy.of(load_policy(settings.margin_policy))
    app.state.call_settings = call_settings_of(settings, margin_settings_of(settings, app.state.policy))
    app.state.position_loader = BatchLoader(load_positions, seconds=settings.request_seconds)
    app.state.stock_page_loader = BatchLoader(stocks.load_pages, seconds=settings.request_seconds)
    app.state.margin_loader = MarginLoader(
        rules=app.state.policy.rules, base_currency=settings.base_currency, seconds=settings.request_seconds
    )
    app.state.book = LiveBook(
        ValuationRules(app.state.policy, settings.warning_cushion),
        base_currency=settings.base_currency,
        reuse_columns=settings.reuse_columns,
    )
    secret = secret_key(settings)
    app.state.fingerprints = Fingerprints(secret)
    app.state.auth = Auth(
        signer=TokenSigner(secret, seconds=settings.access_token_seconds),
        limits=LoginLimits(attempts=settings.login_attempts, window_seconds=settings.login_window_seconds),
        refresh_seconds=settings.refresh_token_seconds,
    )
    app.add_middleware(limits.BodyLimit, body_bytes=settings.max_body_bytes, import_bytes=settings.import_max_bytes)
    app.add_middleware(fast_path.FastPath)
    app.add_middleware(context.RequestContext, seconds=settings.request_seconds)
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


def source_context(settings: Settings) -> SourceContext:
    """Return what a price source may need to be built, by the settings."""
    return SourceContext(
        settings=settings,
        ttl_seconds=settings.price_ttl_seconds,
        base_currency=settings.base_currency,
        root=ROOT,
        newest_stored=stocks_service.newest_market_time,
    )


def price_source(settings: Settings) -> PriceProvider:
    """
    Return the configured price source; its caller closes it.

    Raises:
        StartupError: its settings cannot be used, such as the file to replay.
    """
    return build_provider(settings.price_provider, source_context(settings))


def check_price_source(settings: Settings) -> None:
    """
    Refuse settings with which the configured price source cannot be built; it opens nothing.

    Raises:
        StartupError: they cannot be used, such as the file to replay.
    """
    check_provider(settings.price_provider, source_context(settings))


def warm_up_of(settings: Settings) -> Callable[[], object] | None:
    """Return what imports ahead what the configured price source needs for its first answer; None = nothing."""
    return spec_of(settings.price_provider).warm_up


def _pace(settings: Settings) -> Pace:
    """Return how often the price source is asked: as often as is set, unless its clock says otherwise."""
    spec = spec_of(settings.price_provider)
    seconds = spec.poll_seconds(source_context(settings)) if spec.poll_seconds else settings.poll_seconds
    return Pace(seconds, is_replay=spec.clock == "replayed")


def price_feed(settings: Settings, provider: PriceProvider) -> PriceFeed:
    """Return a source with what its prices are judged and converted by."""
    return PriceFeed(
        provider,
        settings.base_currency,
        Decimal(str(settings.price_jump_limit)),
        jump_doubt_seconds=settings.jump_doubt_seconds,
        no_price_seconds=settings.no_price_seconds,
    )


def secret_key(settings: Settings) -> str:
    """Return the key that signs tokens: the configured one, or the one that the first start made."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    return load_or_create_secret(settings.data_dir)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect, serve, let go."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(app.state.feed.provider.aclose)
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
    call_settings: CallSettings = app.state.call_settings
    return Leader(
        database,
        reviewer=Reviewer(app.state.book, settings=call_settings, settle_seconds=settings.call_settle_seconds),
        refresher=Refresher(app.state.feed, pace=_pace(settings)),
        signal=listener.signal("book"),
        settings=call_settings,
    )


def _hub(app: FastAPI, listener: Listener) -> Hub:
    """Return what feeds the streams of this process."""
    settings: Settings = app.state.settings
    return Hub(
        live_feed=LiveFeed(app.state.book, currency=settings.base_currency),
        listener=listener,
        limits=Limits(
            streams=settings.max_streams,
            streams_per_user=settings.max_streams_per_user,
            queue=settings.stream_queue,
        ),
    )


def margin_settings_of(settings: Settings, policy: ActivePolicy) -> MarginSettings:
    """Return what explanations depend on, by the settings."""
    rate = None if settings.interest_rate is None else Decimal(repr(settings.interest_rate))
    return MarginSettings(policy, settings.base_currency, settings.price_stale_seconds, rate)


def call_settings_of(settings: Settings, margin_settings: MarginSettings) -> CallSettings:
    """Return what margin calls depend on, by the settings."""
    days = {CallType.HOUSE: settings.house_call_days, CallType.EXCHANGE: settings.exchange_call_days}
    clock = replay_clock if spec_of(settings.price_provider).clock == "replayed" else wall_clock
    return CallSettings(margin_settings, settings.warning_cushion, days, clock)
