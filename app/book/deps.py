"""What routes ask of the book: where the valued one comes from."""

from typing import Annotated

from fastapi import Depends, Request

from app.book.valuation import BookSource


async def get_book(request: Request) -> BookSource:
    """Return where the valued book comes from."""
    book: BookSource = request.app.state.book
    return book


BookDep = Annotated[BookSource, Depends(get_book)]
