"""What routes ask of margin calls: the settings by which they are opened and due."""

from typing import Annotated

from fastapi import Depends, Request

from app.margin_calls.types import CallTerms


async def get_call_terms(request: Request) -> CallTerms:
    """Return what margin calls depend on."""
    terms: CallTerms = request.app.state.call_terms
    return terms


CallTermsDep = Annotated[CallTerms, Depends(get_call_terms)]
