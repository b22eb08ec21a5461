"""The line of each request, as every other line looks, without the way that those go, which costs 50 us and more."""

import json
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import structlog

#: What the text form shows as it is.
_PLAIN: Final = re.compile(r"[A-Za-z0-9/_.~:@%+-]*")
#: What a request leaves in the context of its lines; anything else takes the long way.
_CONTEXT: Final = {"request_id", "user_id"}

_logger: Final = logging.getLogger("access")
_log: Final = structlog.get_logger("access")


class RequestLog:
    """Writes where `logging` writes; there is one a process, as there is one `logging`."""

    def __init__(self) -> None:
        self._stream: TextIO | None = None
        self._is_text = True

    def configure(self, handler: "logging.StreamHandler[TextIO]", *, text: bool) -> None:
        """Write to the handler's stream, in text or JSON."""
        is_coloured = text and handler.stream.isatty()
        self._stream = None if is_coloured else handler.stream
        self._is_text = text

    def write(self, method: str, path: str, status: int, ms: float) -> None:
        """Write a line; one that cannot be written stops no request."""
        if not _logger.isEnabledFor(logging.INFO):
            return
        context = structlog.contextvars.get_contextvars()
        if self._stream is None or not context.keys() <= _CONTEXT or (self._is_text and not _PLAIN.fullmatch(path)):
            _log.info("request", method=method, path=path, status=status, ms=ms)
            return
        fields = {"method": method, "path": path, "status": status, "ms": ms, "event": "request", **context}
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = _text(fields, at) if self._is_text else _json(fields, at)
        with suppress(OSError, ValueError):
            self._stream.write(line)
            self._stream.flush()


def _text(fields: Mapping[str, Any], at: str) -> str:
    """Return a line of text: the time, what happened, then the fields by name."""
    user = f" user_id={fields['user_id']}" if "user_id" in fields else ""
    return (
        f"{at} [info     ] request                        [access] method={fields['method']} ms={fields['ms']} "
        f"path={fields['path']} request_id={fields.get('request_id')} status={fields['status']}{user}\n"
    )


def _json(fields: Mapping[str, Any], at: str) -> str:
    """Return a line of JSON."""
    return json.dumps({**fields, "level": "info", "logger": "access", "timestamp": at}) + "\n"


requests: Final = RequestLog()
