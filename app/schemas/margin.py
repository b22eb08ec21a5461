"""Margin on the wire."""

from pydantic import ConfigDict, Field

from app.schemas.base import NumberOut, Out, TimestampOut


class MarginOut(Out):
    """A client's margin at the stored prices; money in account currency."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "timestamp": "2026-01-31T14:30:00Z",
                    "clientId": 1,
                    "portfolio_value": 20000.0,
                    "loan_amount": 10000.0,
                    "net_equity": 10000.0,
                    "margin_requirement": 5000.0,
                    "margin_shortfall": 0.0,
                    "margin_call_triggered": False,
                }
            ]
        },
        populate_by_name=True,
    )

    timestamp: TimestampOut = Field(description="When this was computed.")
    client_id: int = Field(serialization_alias="clientId")
    portfolio_value: NumberOut = Field(description="Long minus short market value.")
    loan_amount: NumberOut = Field(description="Debit balance; negative = cash credit.")
    net_equity: NumberOut = Field(description="portfolio_value - loan_amount.")
    margin_requirement: NumberOut = Field(description="What the policy asks the client to hold.")
    margin_shortfall: NumberOut = Field(description="max(0, margin_requirement - net_equity).")
    margin_call_triggered: bool = Field(description="margin_shortfall > 0; equality is no call.")
