"""The line of a request is the line that every other logger would have written."""

import json
import logging
import re
from collections.abc import Iterator

import pytest
import structlog

from app.core import logs
from app.core.access_log import requests

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """Leave the logging of other tests as it was."""
    logger = logging.getLogger()
    before = (logger.handlers, logger.level)
    structlog.contextvars.clear_contextvars()
    yield
    logger.handlers, level = before
    logger.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("path", ["/margin/1", "/a b", '/"=\n', "/\x1b[31m", "/é"])
@pytest.mark.parametrize("user", [{}, {"user_id": 7}])
def test_the_line_is_structlogs_own(
    capsys: pytest.CaptureFixture[str], log_format: logs.LogFormat, path: str, user: dict[str, int]
) -> None:
    logs.configure(log_format=log_format, level="info")
    structlog.contextvars.bind_contextvars(request_id="0f8f", **user)

    requests.write("GET", path, 200, 1.2)
    structlog.get_logger("access").info("request", method="GET", path=path, status=200, ms=1.2)

    ours, theirs = [fields_of(TIME.sub("T", line)) for line in capsys.readouterr().err.splitlines()]
    assert ours == theirs


def fields_of(line: str) -> object:
    """Return a line of JSON without the order of its members."""
    return json.loads(line) if line.startswith("{") else line


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_level_above_leaves_it_out(capsys: pytest.CaptureFixture[str], log_format: logs.LogFormat) -> None:
    logs.configure(log_format=log_format, level="warning")

    requests.write("GET", "/", 200, 1.2)

    assert capsys.readouterr().err == ""
