"""
Entity tags (RFC 9110, 8.8.3 and 13): what did not change is not sent again, what did is not overwritten unseen.

A tag is a digest of the JSON that is sent, so no version is stored: a caller that sends it back has seen exactly that.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Header, Request, Response, status
from pydantic import BaseModel, WithJsonSchema
from pydantic_core import to_json

from app.core.errors import PreconditionError
from app.core.preconditions import Check

_Record = TypeVar("_Record")
Representation = BaseModel | Sequence[BaseModel]

_JSON: Final = "application/json"
_TAG: Final = re.compile(r'(W/)?"[\x21\x23-\x7e]*"')
#: Keep it, but ask before each use.
_CACHE_CONTROL: Final = "private, no-cache"
#: The headers of an answer with a tag, for the document.
TAG: Final = {"ETag": {"description": "Digest of this answer.", "schema": {"type": "string"}}}

#: A header cannot be null.
_SCHEMA: Final = WithJsonSchema({"type": "string", "maxLength": 1000})

IfNoneMatchHeader = Annotated[
    str | None,
    Header(alias="If-None-Match", max_length=1000, description="`ETag` of what you have: 304 if it is still that."),
    _SCHEMA,
]
IfMatchHeader = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=1000,
        description="`ETag` of what you saw: 412 if it is no longer that. `*`: whatever it is, if it exists.",
    ),
    _SCHEMA,
]
CreateOnlyHeader = Annotated[
    str | None,
    Header(alias="If-None-Match", max_length=1000, description="`*`: 412 if it exists already."),
    _SCHEMA,
]


def etag_of(body: bytes) -> str:
    """Return the strong entity tag of a body; 1 us for 1 kB."""
    return f'"{blake2b(body, digest_size=16).hexdigest()}"'


def is_known(etag: str, if_none_match: str | None) -> bool:
    """Return whether `If-None-Match` names the tag, strong or weak."""
    return if_none_match is not None and _names(if_none_match, etag, weakly=True)


def answer_if_new(body: bytes, if_none_match: str | None) -> Response:
    """Return JSON with its tag, or 304 without it where the caller has it."""
    etag = etag_of(body)
    headers = {"ETag": etag, "Cache-Control": _CACHE_CONTROL}
    if is_known(etag, if_none_match):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type=_JSON)


def created(representation: BaseModel, *, location: str) -> Response:
    """Return what was made by a POST, where it is, and the tag that a GET of it would give."""
    body = to_json(representation)
    headers = {"Location": location, "ETag": etag_of(body), "Content-Location": location}
    return Response(body, status_code=status.HTTP_201_CREATED, headers=headers, media_type=_JSON)


def tagged(*statuses: int, unchanged: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route whose successes have these statuses and a tag; `unchanged`: or 304."""
    documented: dict[int | str, dict[str, Any]] = {code: {"headers": TAG} for code in statuses}
    if unchanged:
        documented[304] = {"description": "You have it already.", "headers": TAG}
    return documented


@dataclass(frozen=True, slots=True)
class ConditionalGet:
    """The `If-None-Match` of a GET: the tag that its caller has."""

    if_none_match: str | None

    def answer(self, representation: Representation) -> Response:
        """Return a representation, or 304 where the caller has it."""
        return self.answer_body(to_json(representation))

    def answer_body(self, body: bytes) -> Response:
        """Return JSON, or 304 where the caller has it."""
        return answer_if_new(body, self.if_none_match)


@dataclass(frozen=True, slots=True)
class Precondition:
    """The `If-Match` or `If-None-Match` of a change: which state of the resource its caller expects."""

    path: str
    if_match: str | None = None
    if_none_match: str | None = None

    def check(self, render: Callable[[_Record], Representation]) -> Check[_Record]:
        """
        Return what a service calls under the lock of the record that `render` makes a representation of.

        It raises PreconditionError where the caller expected something else.
        """

        def check(record: _Record | None) -> None:
            if self.if_match is None and self.if_none_match is None:
                return
            etag = None if record is None else etag_of(to_json(render(record)))
            if self.if_match is not None and not _names(self.if_match, etag, weakly=False):
                raise PreconditionError("Somebody changed this since you saw it; read it again, then decide.")
            if self.if_none_match is not None and _names(self.if_none_match, etag, weakly=True):
                raise PreconditionError("This exists already.")

        return check

    def answer(self, representation: Representation, status_code: int = status.HTTP_200_OK) -> Response:
        """Return what the resource is now, with the tag that a GET of it would give."""
        body = to_json(representation)
        headers = {"ETag": etag_of(body), "Content-Location": self.path}
        return Response(body, status_code=status_code, headers=headers, media_type=_JSON)


async def get_conditional_get(if_none_match: IfNoneMatchHeader = None) -> ConditionalGet:
    """Return the condition of a GET."""
    return ConditionalGet(if_none_match)


async def get_precondition(request: Request, if_match: IfMatchHeader = None) -> Precondition:
    """Return the precondition of a change of what exists."""
    return Precondition(request.url.path, if_match)


async def get_precondition_or_new(
    request: Request, if_match: IfMatchHeader = None, if_none_match: CreateOnlyHeader = None
) -> Precondition:
    """Return the precondition of a change of what may not exist yet."""
    return Precondition(request.url.path, if_match, if_none_match)


ConditionalGetDep = Annotated[ConditionalGet, Depends(get_conditional_get)]
PreconditionDep = Annotated[Precondition, Depends(get_precondition)]
PreconditionOrNewDep = Annotated[Precondition, Depends(get_precondition_or_new)]


def _names(header: str, etag: str | None, *, weakly: bool) -> bool:
    """Return whether a list of tags, or `*`, names the tag of what exists; None: nothing exists."""
    if etag is None:
        return False
    if header.strip() == "*":
        return True
    return any(tag[0] == etag or (weakly and tag[0] == f"W/{etag}") for tag in _TAG.finditer(header))
