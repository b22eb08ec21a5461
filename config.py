"""Settings of the service: read once from the environment or `.env`, every value bounded, no secret ever logged."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.errors import StartupError
from app.core.usernames import USERNAME_INPUT_PATTERN
from app.providers.registry import PROVIDER_NAMES
from app.providers.replay.settings import ReplaySettings

ROOT = Path(__file__).resolve().parent
_HS256_KEY_BYTES = 32
#: Of a worker: the leader's, and the one that listens to notifications.
_CONNECTIONS_BESIDE_POOL = 2
_CONNECTIONS_TO_SPARE = 10


class Settings(ReplaySettings, BaseSettings):
    """One field per setting, with those of each price source as a base; the README lists them with their meaning."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env",
        env_prefix="RISK_",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        env_ignore_empty=True,
    )

    #: PostgreSQL to use; unset starts the embedded one under `data_dir`.
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    #: Embedded database, secrets and passwords made on first start.
    data_dir: Path = Path(".data")
    host: str = Field(default="127.0.0.1", min_length=1, max_length=255)
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    #: Proxies whose X-Forwarded-For is believed, addresses between commas; none: it is ignored.
    forwarded_allow_ips: str = Field(default="", max_length=1000)

    #: Signs tokens; unset: made on first start and kept in `data_dir`.
    secret_key: SecretStr | None = Field(default=None, max_length=4096)
    admin_username: str = Field(default="admin", pattern=USERNAME_INPUT_PATTERN)
    #: Unset: made on first start and kept in `data_dir`.
    admin_password: SecretStr | None = Field(default=None, min_length=1, max_length=1024)
    access_token_seconds: int = Field(default=900, ge=1, le=86_400)
    refresh_token_seconds: int = Field(default=1_209_600, ge=1, le=31_536_000)
    #: Wrong passwords per user name, and ten times as many per address, before the next attempt has to wait.
    login_attempts: int = Field(default=5, ge=1, le=1_000_000)
    login_window_seconds: int = Field(default=300, ge=1, le=86_400)

    #: A name in `app.providers.registry`.
    price_provider: str = PROVIDER_NAMES[0]
    price_ttl_seconds: float = Field(default=5, ge=0, le=3600)
    price_stale_seconds: int = Field(default=1800, ge=1, le=604_800)
    poll_seconds: float = Field(default=15, ge=0.05, le=86_400)
    #: Largest change against the stored price that is used at once, a fraction; a larger one waits for a second answer.
    price_jump_limit: float = Field(default=0.3, gt=0, lt=1)
    #: Open market after which an ordinary jump is believed.
    jump_doubt_seconds: float = Field(default=900, ge=0, le=86_400)
    #: How long a source may give no price, or 0, before the stored one counts as stale.
    no_price_seconds: float = Field(default=180, ge=0, le=86_400)

    base_currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    #: A built-in name or the path of a TOML file.
    margin_policy: str = Field(default="flat", min_length=1, max_length=4096)
    warning_cushion: float = Field(default=0.05, ge=0, le=1)
    interest_rate: float | None = Field(default=None, ge=0, le=1)
    #: Business days until a call is due, by whose requirement is not met.
    house_call_days: int = Field(default=5, ge=1, le=60)
    exchange_call_days: int = Field(default=2, ge=1, le=60)
    #: How long a client that was written to is left alone before its calls are looked at: writes come in steps.
    call_settle_seconds: float = Field(default=2, ge=0, le=60)
    #: Whether this process may refresh prices and look after margin calls; of all that may, one does.
    monitor: bool = True

    #: Open streams (events, WebSockets) per worker and per user of a worker.
    max_streams: int = Field(default=2000, ge=1, le=100_000)
    max_streams_per_user: int = Field(default=20, ge=1, le=100_000)
    #: Events that wait for a slow reader before its stream ends.
    stream_queue: int = Field(default=1000, ge=10, le=100_000)

    #: Whether webhooks may point to private addresses and this machine, and be plain http.
    webhook_allow_private: bool = False

    #: How long a start waits for PostgreSQL to answer.
    database_wait_seconds: float = Field(default=30, ge=0, le=3600)
    #: Whether the book makes columns in memory without a reader; it counts references as the interpreter does.
    reuse_columns: bool = True
    #: Connections per worker.
    pool_size: int = Field(default=10, ge=2, le=500)
    #: 0 for pgbouncer in transaction mode.
    statement_cache_size: int = Field(default=100, ge=0, le=10_000)
    #: Longest that one request may take, database and provider included.
    request_seconds: float = Field(default=30, ge=1, le=600)
    max_body_bytes: int = Field(default=1_048_576, ge=1024, le=1_073_741_824)
    #: A file to import, as it is sent and once it is decompressed.
    import_max_bytes: int = Field(default=1_073_741_824, ge=1024, le=1_099_511_627_776)

    #: Whether `/metrics` answers others than this machine.
    metrics_public: bool = False
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def connections(self) -> int:
        """How many database connections this service may open at a time, with some for a start and for people."""
        return self.workers * (self.pool_size + _CONNECTIONS_BESIDE_POOL) + _CONNECTIONS_TO_SPARE

    @field_validator("price_provider")
    @classmethod
    def _provider_is_known(cls, value: str) -> str:
        """Refuse a price source that the registry does not know, or that cannot be asked."""
        if value not in PROVIDER_NAMES:
            raise ValueError(f"no such price source; it is one of: {', '.join(PROVIDER_NAMES)}")
        return value

    @field_validator("secret_key")
    @classmethod
    def _secret_is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse a key that can be guessed; HS256 wants 256 bits."""
        if value is not None and len(value.get_secret_value().encode()) < _HS256_KEY_BYTES:
            raise ValueError("at least 32 bytes are needed; leave it unset to have one made")
        return value

    @field_validator("data_dir")
    @classmethod
    def _data_dir_is_absolute(cls, value: Path) -> Path:
        """Count a relative data directory from the project's root, whatever the current directory is."""
        return ROOT / value


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """
    Return the settings of this process.

    Raises:
        StartupError: some cannot be used; it says which and why, never what they hold.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = "".join(f"\n  {_name(fault['loc'])}: {_reason(fault['msg'])}" for fault in error.errors())
        raise StartupError(f"these settings cannot be used:{faults}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{ROOT / '.env'} cannot be read: {error}") from error


def _name(location: tuple[int | str, ...]) -> str:
    """Return a setting's name as its user writes it."""
    field = str(location[0])
    return field if field.isupper() else f"RISK_{field.upper()}"


def _reason(message: str) -> str:
    """Drop pydantic's label in front of our own messages."""
    return message.removeprefix("Value error, ")
