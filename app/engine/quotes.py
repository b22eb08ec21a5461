"""Prices as the market quotes them: in the stock's own currency, with the rate that makes them account currency."""

from dataclasses import dataclass

from app.engine.arrays import Int64
from app.engine.book import Prices
from app.engine.units import PRICE_LIMIT, convert


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """
    What `Prices` are made of; only symbols that have a price in them are read.

    Attributes:
        price: (S,) in the stock's currency per unit, 1e-8, at most 1e18; 0 = missing.
        fx: (S,) account currency per unit of the stock's currency, 1e-8; 0 = missing.
    """

    price: Int64
    fx: Int64

    def __post_init__(self) -> None:
        assert len(self.price) == len(self.fx), "one rate a price"
        for column in (self.price, self.fx):
            assert ((column >= 0) & (column <= PRICE_LIMIT)).all(), "a quote is out of range"

    def agree(self, prices: Prices) -> bool:
        """Return whether every price that there is equals quote x fx, rounded half up to 1e-8."""
        rows = zip(prices.price.tolist(), self.price.tolist(), self.fx.tolist(), strict=True)
        return all(price in {0, convert(quote, fx)} for price, quote, fx in rows)
