"""Logs on standard error: readable text, or JSON by option; one format for our lines and the libraries'."""

import logging
import sys
from contextlib import suppress
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

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
    last = _last(log_format)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    global _access  # noqa: PLW0603 - as logging's own configuration, one a process
    _access = _access_logger(last, level=level)


def log_request(**fields: Any) -> None:  # noqa: ANN401 - whatever a line can hold
    """Write the one line of a request; one that cannot be written stops no request."""
    with suppress(OSError, ValueError):
        _access.info("request", **fields)


def _last(log_format: LogFormat) -> list[Processor]:
    """Return the processors that turn an event into a line."""
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if log_format == "json":
        return [remove, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # A traceback with local variables would show passwords and tokens.
    plain = structlog.dev.plain_traceback
    return [remove, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


def _access_logger(last: list[Processor], *, level: str) -> Any:  # noqa: ANN401 - structlog's loggers have no type
    """Return a logger whose lines are those of all others, without the way through `logging`: that costs 40 us."""
    return structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _add_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *last[1:],  # the first removes what `logging` adds
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


def _add_name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["logger"] = "access"
    return event


#: For lines of requests.
_access: Any = structlog.get_logger("access")
