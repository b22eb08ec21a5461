"""Positions and trades on the wire."""

from typing import Annotated

from pydantic import ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from app.core.symbols import SYMBOL_INPUT_PATTERN, SYMBOL_SCHEMA
from app.web.fields import CostIn, In, NumberOut, Out, PriceIn, QuantityIn, QuantityOut

_POSITION: JsonDict = {"symbol": "AAPL", "quantity": 100, "cost_basis": 150.0}


class PositionIn(In):
    """What a position is set to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"quantity": 100, "cost_basis": 150.0}]})

    quantity: QuantityIn = Field(description="Units held; negative = short; never 0.")
    cost_basis: CostIn = Field(description="Average price paid per unit, in the stock's currency.")


class PositionOut(Out):
    """A holding."""

    model_config = ConfigDict(json_schema_extra={"examples": [_POSITION]})

    symbol: str
    quantity: QuantityOut = Field(description="Units held; negative = short.")
    cost_basis: NumberOut = Field(description="Average price paid per unit, in the stock's currency.")


class PositionsOut(Out):
    """All that a client holds, by symbol."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"clientId": 1, "positions": [_POSITION]}]}, populate_by_name=True
    )

    client_id: int = Field(serialization_alias="clientId")
    positions: list[PositionOut]


class TradeIn(In):
    """A trade."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"symbol": "AAPL", "quantity": -25, "price": 175.5}]})

    symbol: Annotated[str, Field(pattern=SYMBOL_INPUT_PATTERN), WithJsonSchema(SYMBOL_SCHEMA | {"examples": ["AAPL"]})]
    quantity: QuantityIn = Field(description="Units; > 0 buys, < 0 sells.")
    price: PriceIn = Field(description="Price of one unit, in the stock's currency.")


class TradeOut(Out):
    """What a trade left behind."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"clientId": 1, "position": _POSITION, "loan": 10000.0}]}, populate_by_name=True
    )

    client_id: int = Field(serialization_alias="clientId")
    position: PositionOut | None = Field(description="Null where the trade closed it.")
    loan: NumberOut = Field(description="The client's loan after the trade, in account currency.")
