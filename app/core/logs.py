"""Logs on standard error: readable text, or JSON by option; one format for our lines and the libraries'."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import Processor

from app.core.access_log import requests

LogFormat = Literal["text", "json"]

_QUIET = ("tortoise", "asyncio", "yfinance", "peewee", "httpx", "httpcore", "hpack", "uvicorn.access")


def configure(*, log_format: LogFormat, level: str) -> None:
    """Send every log line of this process to standard error in one format."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_last(log_format)))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    requests.configure(handler, text=log_format == "text")


def _last(log_format: LogFormat) -> list[Processor]:
    """Return the processors that turn an event into a line."""
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if log_format == "json":
        return [remove, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # A traceback with local variables would show passwords and tokens.
    plain = structlog.dev.plain_traceback
    return [remove, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
