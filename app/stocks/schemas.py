"""Prices on the wire."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from app.web.fields import In, NumberOut, Out, TimestampOut


class StockOut(Out):
    """The latest price of a stock, in its own currency."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"symbol": "AAPL", "timestamp": "2024-03-28T10:30:00Z", "current_price": 175.5}]
        }
    )

    symbol: str
    timestamp: TimestampOut = Field(description="When the market made the price.")
    current_price: NumberOut = Field(description="Price of one unit, in the stock's currency.")


class PricePointOut(Out):
    """One price that was once current."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "symbol": "AAPL",
                    "timestamp": "2024-03-28T10:30:00Z",
                    "price": 175.5,
                    "currency": "USD",
                    "source": "yahoo",
                }
            ]
        }
    )

    symbol: str
    timestamp: TimestampOut = Field(description="When the market made the price.")
    price: NumberOut
    currency: str
    source: str


class RefreshOut(Out):
    """What a refresh of every held symbol brought."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"updated": ["AAPL", "MSFT"], "missing": ["GONE"]}]})

    updated: list[str] = Field(description="Symbols whose latest quote is now stored.")
    missing: list[str] = Field(description="Held symbols for which the source had no usable price.")


class AcceptIn(In):
    """Why the desk believes it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The exchange's own page says so."}]})

    reason: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*\S[^\x00]*$")]
