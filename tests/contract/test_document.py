"""What every operation of `/openapi.json` says of itself."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import httpx
import pytest
from fastapi import FastAPI

from tests.contract.document import PROBLEM_JSON, Operation, operations_of

#: What a success may be written in.
_FORMS = {"application/json", "application/jsonl", "text/csv", "text/event-stream"}


@pytest.fixture(scope="module")
def operations(app: FastAPI) -> Sequence[Operation]:
    return list(operations_of(app.openapi()))


def test_operation_ids_are_chosen_names(operations: Sequence[Operation]) -> None:
    names = Counter(operation.id for operation in operations)

    # A name that FastAPI makes ends with path and method: `get_margin_margin__clientId__get`.
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+){0,3}", name)] == []
    assert [name for name, count in names.items() if count > 1] == []


def test_every_operation_says_what_it_does_and_answers(operations: Sequence[Operation]) -> None:
    assert [f"{operation.id}: {fault}" for operation in operations for fault in _faults(operation)] == []


def _faults(operation: Operation) -> Iterator[str]:
    """Yield what is missing."""
    for member in ("summary", "description", "tags"):
        if not operation.spec.get(member):
            yield f"no {member}"
    for parameter in operation.spec.get("parameters", ()):
        if not parameter.get("description"):
            yield f"parameter {parameter['name']} has no description"
    body = operation.body()
    if body and body.example is None:
        yield "its request has no example"
    for status in sorted(operation.statuses):
        yield from (f"{status}: {fault}" for fault in _answer_faults(operation, status))
    yield from (f"{status} is not documented" for status in sorted(_expected_errors(operation) - operation.statuses))


def _answer_faults(operation: Operation, status: int) -> Iterator[str]:
    """Yield what is missing from one documented answer."""
    content = operation.spec["responses"][str(status)].get("content", {})
    if status in {204, 304}:
        if content:
            yield "has a body"
        return
    if not content or not content.keys() <= (_FORMS if status < 300 else {PROBLEM_JSON}):
        yield f"is {sorted(content)}"
    for media in content.values():
        if not media.get("schema"):
            yield "has no type"
        if status < 300 and "example" not in media:
            yield "has no example"
        if status >= 400 and media["example"]["status"] != status:
            yield "shows another status"


def _expected_errors(operation: Operation) -> set[int]:
    """Return the errors that follow from what an operation takes."""
    expected = {401} if operation.is_guarded else set()
    if operation.parameters("query"):
        expected |= {422}
    if operation.parameters("path"):
        expected |= {422}
    if "requestBody" in operation.spec:
        expected |= {413, 422}
    if operation.is_guarded:
        expected |= {503}  # who the caller is stands in the database
    return expected


async def test_allow_names_every_method_of_a_path_and_no_other(app: FastAPI, operations: Sequence[Operation]) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        for path in {operation.path for operation in operations}:
            response = await http.request("TRACE", path.format_map(_Names()))

            methods = {operation.method for operation in operations if operation.path == path}
            assert response.status_code == 405, path
            assert set(response.headers["Allow"].split(", ")) == methods, path


class _Names(dict[str, str]):
    """Any text for any parameter."""

    def __missing__(self, key: str) -> str:
        return "1"
