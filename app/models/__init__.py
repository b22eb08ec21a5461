"""Tables. A unit stands behind each column as a `#:` comment, which becomes the column's comment in PostgreSQL."""

from app.models.calls import CallState, CallType, ClientState, MarginCall, MarginCallEvent
from app.models.client import Client, Margin, Position
from app.models.idempotency import IdempotencyKey
from app.models.imports import Import
from app.models.journal import AuditEntry, BookChange, Event, Webhook, WebhookDelivery
from app.models.market import CorporateAction, Instrument, MarketData, PriceHistory, Split
from app.models.user import LoginAttempt, RefreshToken, Role, User

__all__ = [
    "AuditEntry",
    "BookChange",
    "CallState",
    "CallType",
    "Client",
    "ClientState",
    "CorporateAction",
    "Event",
    "IdempotencyKey",
    "Import",
    "Instrument",
    "LoginAttempt",
    "Margin",
    "MarginCall",
    "MarginCallEvent",
    "MarketData",
    "Position",
    "PriceHistory",
    "RefreshToken",
    "Role",
    "Split",
    "User",
    "Webhook",
    "WebhookDelivery",
]
