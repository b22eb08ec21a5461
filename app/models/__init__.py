"""Tables. A unit stands behind each column as a `#:` comment, which becomes the column's comment in PostgreSQL."""

from app.models.client import Client, Margin, Position
from app.models.market import Instrument, MarketData, PriceHistory
from app.models.user import LoginAttempt, RefreshToken, Role, User

__all__ = [
    "Client",
    "Instrument",
    "LoginAttempt",
    "Margin",
    "MarketData",
    "Position",
    "PriceHistory",
    "RefreshToken",
    "Role",
    "User",
]
