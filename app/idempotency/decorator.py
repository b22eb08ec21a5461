"""
`Idempotency-Key`: a POST that is sent twice is applied once, and gets the same answer.

As draft-ietf-httpapi-idempotency-key-header has it; a key without the quotes of a structured header will do.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final, ParamSpec

from fastapi import Depends, Header, Request, Response, status
from pydantic import BaseModel, WithJsonSchema
from pydantic_core import to_json

from app.auth.deps import CallerDep
from app.idempotency import service as idempotency_service
from app.idempotency.fingerprints import Fingerprints
from app.idempotency.service import IdempotencyRequest, StoredAnswer

_P = ParamSpec("_P")
_PARAMETER: Final = "_idempotency"
_PATTERN: Final = r'^("[!#-~]{1,255}"|[!#-~]{1,255})$'
_KEPT_HEADERS: Final = ("content-type", "content-location", "location", "etag")

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=_PATTERN,
        max_length=257,
        description="A name of your choice for this request, such as a UUID. Sent again by you within a day, it is "
        "applied once and answered alike, with `Idempotent-Replayed: true`; sent with anything else it is a 422. A "
        "request that failed left nothing, and may be sent again.",
    ),
    # A header cannot be null.
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["8e03978e-40d5-43e8-bc93-6894a57f9324"]}),
]


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request with what its key stands for; None where its caller sent no key."""

    request: Request
    wanted: IdempotencyRequest | None


async def get_keyed_request(request: Request, caller: CallerDep, key: KeyHeader = None) -> KeyedRequest:
    """Return the request with its key and fingerprint."""
    if key is None:
        return KeyedRequest(request, None)
    fingerprints: Fingerprints = request.app.state.fingerprints
    url = request.url
    parts = (request.method.encode(), url.path.encode(), url.query.encode(), await request.body())
    return KeyedRequest(request, IdempotencyRequest(caller.user_id, key.strip('"'), fingerprints.of(parts)))


def idempotent(
    endpoint: Callable[_P, Awaitable[BaseModel | Response]],
) -> Callable[..., Awaitable[BaseModel | Response]]:
    """
    Make an endpoint take `Idempotency-Key`.

    With a key it runs in the transaction that stores its answer. So what is slow and stores nothing, such as asking the
    price source, belongs into a dependency, which runs before it.
    """

    @functools.wraps(endpoint)
    async def idempotent_endpoint(*args: _P.args, **kwargs: _P.kwargs) -> BaseModel | Response:
        keyed = kwargs.pop(_PARAMETER)
        assert isinstance(keyed, KeyedRequest), "FastAPI fills the parameter in"
        if keyed.wanted is None:
            return await endpoint(*args, **kwargs)

        async def work() -> StoredAnswer:
            return _answer(await endpoint(*args, **kwargs), keyed.request)

        return _response(await idempotency_service.run_once(keyed.wanted, work))

    signature = inspect.signature(endpoint)
    extra = inspect.Parameter(
        _PARAMETER, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[KeyedRequest, Depends(get_keyed_request)]
    )
    idempotent_endpoint.__signature__ = signature.replace(  # type: ignore[attr-defined] # what FastAPI reads
        parameters=[*signature.parameters.values(), extra]
    )
    return idempotent_endpoint


def _answer(result: BaseModel | Response, request: Request) -> StoredAnswer:
    """Return what FastAPI would send."""
    if isinstance(result, Response):
        headers = {name: result.headers[name] for name in _KEPT_HEADERS if name in result.headers}
        return StoredAnswer(result.status_code, headers, bytes(result.body))
    status_code = request.scope["route"].status_code or status.HTTP_200_OK
    return StoredAnswer(status_code, {"content-type": "application/json"}, to_json(result))


def _response(answer: StoredAnswer) -> Response:
    headers = dict(answer.headers) | ({"Idempotent-Replayed": "true"} if answer.is_replayed else {})
    return Response(answer.body, status_code=answer.status, headers=headers)
