"""What is logged, in which form, and what never is."""

import json
import logging
import warnings
from collections.abc import Iterator

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request

from app.core import logs
from app.web import problems as errors
from app.web.middleware import RequestContext


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """Leave the logging of other tests as it was."""
    logger = logging.getLogger()
    before = (logger.handlers, logger.level)
    logging.captureWarnings(capture=False)
    yield
    logger.handlers, level = before
    logger.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.contextvars.clear_contextvars()


def application() -> FastAPI:
    app = FastAPI()
    app.add_middleware(RequestContext, seconds=1)
    errors.install(app, database_down=(ConnectionError,))

    @app.get("/bug")
    async def bug(request: Request) -> None:
        password = request.headers["Authorization"]
        raise RuntimeError(f"no such key of {len(password)} characters")

    return app


async def get(path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(application())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as caller:
        return await caller.get(path, headers=headers)


@pytest.mark.filterwarnings("always")
async def test_json_logs_are_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(log_format="json", level="info")
    structlog.get_logger("ours").info("two\nlines", path="/a\nb")
    logging.getLogger("theirs").warning("%s\n%s", "two", "lines")
    warnings.warn("two\nlines", stacklevel=1)
    response = await get("/bug", Authorization="Bearer hunter2")

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["logger"] for line in lines] == ["ours", "theirs", "py.warnings", "app.web.problems", "access"]
    assert lines[3]["exception"].startswith("Traceback")
    assert {line["request_id"] for line in lines[3:]} == {response.headers["X-Request-ID"]}


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_answer_to_a_bug_and_its_log_hold_no_secret(
    capsys: pytest.CaptureFixture[str], log_format: logs.LogFormat
) -> None:
    logs.configure(log_format=log_format, level="debug")

    response = await get("/bug", Authorization="Bearer hunter2")

    log = capsys.readouterr().err
    assert response.status_code == 500
    assert "no such key" in log  # the reason is there
    assert "no such key" not in response.text
    assert "hunter2" not in log + response.text


async def test_caller_s_own_request_id_comes_back() -> None:
    response = await get("/nowhere", **{"X-Request-ID": "order-66.a_B"})

    assert response.headers["X-Request-ID"] == response.json()["request_id"] == "order-66.a_B"


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", "a{b}", "\x1b[31m"])
async def test_request_id_that_could_do_harm_is_replaced(given: str) -> None:
    response = await get("/nowhere", **{"X-Request-ID": given})

    assert len(response.headers["X-Request-ID"]) == 32


async def test_path_cannot_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(log_format="text", level="info")

    await get("/a%0a2026-11-22 [error] stolen%1b[31m")

    log = capsys.readouterr().err
    assert log.count("\n") == 1
    assert "\x1b" not in log
