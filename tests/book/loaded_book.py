"""A book source without residence: the reference for the one that follows changes."""

import asyncio
from dataclasses import dataclass

from app.book.book_loader import load_book
from app.book.valuation import BookValuation, ValuationRules, value_book


@dataclass(frozen=True, slots=True)
class LoadedBook:
    """A book source that loads and values everything at each call: right at any size, fast for small books."""

    valuation: ValuationRules
    base_currency: str

    async def current(self) -> BookValuation:
        """Return the book as it is stored now."""
        holdings = await load_book(base_currency=self.base_currency)
        return await asyncio.to_thread(value_book, holdings, self.valuation)
