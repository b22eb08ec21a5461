"""Who may call what: one row for every operation, and what follows for every way to call it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from tests.contract.document import Operation


class Who(Enum):
    """Whom an operation answers."""

    ANYBODY = "anybody, without a token"
    USERS = "every user; `client` for its own client"
    STAFF = "admin and risk"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Row:
    """Access to one operation."""

    who: Who
    #: What a good call gives, where the document leaves a choice.
    success: int | None = None
    #: Path parameters that differ from `World.paths`, by the name that `World.paths` has for the value.
    path: Mapping[str, str] = field(default_factory=dict)
    #: Query parameters that a good call needs.
    query: Mapping[str, str] = field(default_factory=dict)


ACCESS: Final[Mapping[str, Row]] = {
    "create_token": Row(Who.ANYBODY),
    "refresh_token": Row(Who.ANYBODY),
    "logout": Row(Who.USERS),
    "get_me": Row(Who.USERS),
    "list_users": Row(Who.ADMIN),
    "create_user": Row(Who.ADMIN),
    "update_user": Row(Who.ADMIN),
    "list_stocks": Row(Who.USERS),
    "get_stock": Row(Who.USERS),
    "get_stock_history": Row(Who.USERS),
    "refresh_stocks": Row(Who.STAFF),
    "forget_stock": Row(Who.STAFF),
    "accept_stock": Row(Who.STAFF, path={"symbol": "doubtfulSymbol"}),
    "list_corporate_actions": Row(Who.STAFF),
    "create_corporate_action": Row(Who.STAFF),
    "apply_corporate_action": Row(Who.STAFF),
    "dismiss_corporate_action": Row(Who.STAFF),
    "list_clients": Row(Who.USERS),
    "create_client": Row(Who.STAFF),
    "get_client": Row(Who.USERS),
    "update_client": Row(Who.STAFF),
    "delete_client": Row(Who.STAFF, path={"clientId": "emptyClientId"}),
    "list_positions": Row(Who.USERS),
    "get_position": Row(Who.USERS),
    "put_position": Row(Who.STAFF, success=200),
    "delete_position": Row(Who.STAFF),
    "create_trade": Row(Who.STAFF),
    "get_margin": Row(Who.USERS),
    "explain_margin": Row(Who.USERS),
    "simulate_margin": Row(Who.USERS),
    "stress_client": Row(Who.USERS),
    "get_margin_book": Row(Who.STAFF),
    "stress_book": Row(Who.STAFF),
    "list_audit_entries": Row(Who.ADMIN),
    "verify_audit": Row(Who.ADMIN),
    "follow_events": Row(Who.USERS, query={"follow": "false"}),
    "list_margin_calls": Row(Who.USERS),
    "get_daily_record": Row(Who.STAFF),
    "get_margin_call": Row(Who.USERS),
    "confirm_margin_call": Row(Who.STAFF, path={"callId": "unconfirmedCallId"}),
    "extend_margin_call": Row(Who.STAFF),
    "cancel_margin_call": Row(Who.STAFF),
    "add_margin_call_note": Row(Who.STAFF),
    "list_webhooks": Row(Who.ADMIN),
    "create_webhook": Row(Who.ADMIN),
    "delete_webhook": Row(Who.ADMIN),
    "rotate_webhook_secret": Row(Who.ADMIN),
    "list_webhook_deliveries": Row(Who.ADMIN),
    "redeliver_webhook_delivery": Row(Who.ADMIN),
    "list_instruments": Row(Who.USERS),
    "get_instrument": Row(Who.USERS),
    "put_instrument": Row(Who.STAFF, success=200),
    "create_import": Row(Who.STAFF),
    "list_imports": Row(Who.STAFF),
    "get_import": Row(Who.STAFF),
    "export_clients": Row(Who.STAFF),
    "export_positions": Row(Who.STAFF),
    "export_instruments": Row(Who.STAFF),
    "get_liveness": Row(Who.ANYBODY),
    "get_readiness": Row(Who.ANYBODY),
}

#: Routes that the document does not list; all are open, but the WebSocket, which asks for a token itself.
UNDOCUMENTED: Final = {"/", "/openapi.json", "/docs", "/docs/assets", "/metrics", "/ws/{clientId}"}


class Call(Enum):
    """How an operation is called, apart from bad tokens."""

    ADMIN = "admin"
    RISK = "risk"
    OWN_CLIENT = "client, its own client"
    OTHER_CLIENT = "client, another client's id"


def expected_status(operation: Operation, row: Row, call: Call | None) -> int:
    """Return what a call must give; None is any call without a good token."""
    success = row.success or min(operation.successes)
    if row.who is Who.ANYBODY or call is Call.ADMIN:
        return success
    if call is None:
        return 401
    if row.who is Who.ADMIN or (row.who is Who.STAFF and call is not Call.RISK):
        return 403
    return 404 if call is Call.OTHER_CLIENT else success
