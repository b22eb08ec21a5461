"""Users, clients and prices for the access table, and every token that a caller may try."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI

from app.audit.hash_chain import plain
from app.auth.types import Caller
from app.margin.explain import MarginSettings, explain_client
from app.models import (
    CallState,
    CallType,
    CorporateAction,
    Event,
    Import,
    Margin,
    MarginCall,
    MarketData,
    Role,
    Webhook,
    WebhookDelivery,
)
from app.policies.active import ActivePolicy
from app.policies.load import builtin_policy
from app.users import service as users_service
from tests.contract import tokens
from tests.contract.access import Call
from tests.fakes import FakeProvider

PASSWORD = "correct horse battery"
_MONITOR = Caller(user_id=0, username="monitor", role=Role.ADMIN)
_SETTINGS = MarginSettings(ActivePolicy.of(builtin_policy("flat")), "USD", 1800, None)
_OTHER_KEY = b"another key, also of 32 bytes or more"


@dataclass(frozen=True, slots=True)
class World:
    """What the cells of the table share; a cell's changes are rolled back."""

    #: A value for each path parameter, and others that a row of the table may name.
    paths: Mapping[str, int | str]
    #: A body for each operation whose example in the document cannot succeed as it is.
    bodies: Mapping[str, Mapping[str, str]]
    #: `Authorization` of each good caller.
    good: Mapping[Call, str]
    #: `Authorization` of everybody else; None sends none.
    bad: Mapping[str, str | None]

    def of_other_client(self) -> "World":
        """Return the same world where a path names the client of somebody else."""
        others = {"clientId": self.paths["otherClientId"], "callId": self.paths["unconfirmedCallId"]}
        return replace(self, paths={**self.paths, **others})


async def build_world(http: httpx.AsyncClient, app: FastAPI, provider: FakeProvider, secret: str) -> World:
    """Store what a good call needs, as the desk would: over HTTP."""
    provider.give("AAPL", "200")
    await users_service.ensure_admin(
        "boss", password=PASSWORD, make_password=lambda: PASSWORD, passwords=app.state.auth.passwords
    )
    logins = {"boss": await _log_in(http, "boss")}
    boss = _bearer(logins["boss"]["access_token"])
    (await http.get("/stocks/AAPL", headers=boss)).raise_for_status()
    own, other, empty = [await _post(http, "/clients", {"name": name}, boss) for name in ("Own", "Other", "Empty")]
    for client_id in (own, other):
        holding = {"quantity": 10, "cost_basis": 100}
        (await http.put(f"/positions/{client_id}/AAPL", json=holding, headers=boss)).raise_for_status()
    ids = {}
    for name, role in _USERS.items():
        user = {"username": name, "password": PASSWORD, "role": role}
        ids[name] = await _post(http, "/users", user | ({"client_id": own} if role == "client" else {}), boss)
        logins[name] = await _log_in(http, name)
    access = {name: login["access_token"] for name, login in logins.items()}
    for token in access.values():
        (await http.get("/auth/me", headers=_bearer(token))).raise_for_status()
    await _end_two_sessions(http, access, ids["gone"])
    return World(
        paths={
            "clientId": own,
            "otherClientId": other,
            "emptyClientId": empty,
            "userId": ids["spare"],
            "callId": await _call(own, CallState.OPEN),
            "unconfirmedCallId": await _call(other, CallState.UNCONFIRMED),
            "symbol": "AAPL",
            "doubtfulSymbol": await _doubtful(),
            "actionId": await _action(),
            "importId": await _import(),
            **await _webhook(),
        },
        bodies={
            "create_token": {"grant_type": "password", "username": "boss", "password": PASSWORD},
            "refresh_token": {"refresh_token": logins["boss"]["refresh_token"]},
            "create_webhook": {"url": "https://93.184.215.14/"},  # needs no look-up; a test sends nothing
        },
        good={call: f"Bearer {access[name]}" for call, name in _CALLERS.items()},
        bad=_bad(access, logins["boss"]["refresh_token"], secret.encode()),
    )


async def _doubtful() -> str:
    """Store a price that waits for the desk; return its symbol."""
    now = datetime.now(UTC)
    price: dict[str, Any] = {"current_price": Decimal(10), "currency": "GBP", "timestamp": now, "fetched_at": now}
    waits = {"pending_price": 1000, "pending_time": now, "pending_fetched_at": now, "pending_since": now}
    await MarketData.create(symbol="DOUBT.L", source="yahoo", pending_reason="unit", **(price | waits))
    return "DOUBT.L"


async def _action() -> int:
    """Store a corporate action that waits for the desk; return its id."""
    action = await CorporateAction.create(
        symbol="AAPL",
        kind="split",
        ratio_new=2,
        ratio_old=1,
        ex_date=date(2026, 1, 29),
        state="pending",
        source="source",
    )
    return int(action.id)


async def _import() -> int:
    """Store the report of an import; return its id."""
    values: dict[str, Any] = {"kind": "clients", "mode": "all", "existing": "update", "dry_run": True, "errors": []}
    names = ("size_bytes", "row_count", "skipped", "created", "updated", "kept", "bad_rows", "error_count", "seconds")
    values |= dict.fromkeys(names, 0)
    report = await Import.create(actor="boss", state="checked", sha256="0" * 64, **values)
    return int(report.id)


async def _webhook() -> dict[str, int]:
    """Store a webhook with a delivery that was given up; return their ids."""
    event = await Event.create(at=datetime.now(UTC), kind="state", client_id=1, data={})
    webhook = await Webhook.create(url="https://93.184.215.14/", secret="whsec_AAAA")
    delivery = await WebhookDelivery.create(
        webhook_id=webhook.id, event_id=event.id, state="dead", next_attempt_at=datetime.now(UTC)
    )
    return {"webhookId": webhook.id, "deliveryId": delivery.id}


_USERS = {"desk": "risk", "ada": "client", "spare": "risk", "gone": "admin", "left": "admin"}
_CALLERS = {Call.ADMIN: "boss", Call.RISK: "desk", Call.OWN_CLIENT: "ada", Call.OTHER_CLIENT: "ada"}


def _bad(access: Mapping[str, str], refresh_token: str, key: bytes) -> dict[str, str | None]:
    """Return every `Authorization` that must not open anything; all of them speak for an admin."""
    good = access["boss"]
    claims = tokens.claims_of(good)
    forged = {
        "expired": tokens.hs256(tokens.expired(claims), key),
        "alg none": tokens.unsigned(claims),
        "alg None, with a signature": f"{tokens.unsigned(claims, algorithm='None')}{good.split('.')[2]}",
        "HS256 without a signature": tokens.unsigned(claims, algorithm="HS256"),
        "another key": tokens.hs256(claims, _OTHER_KEY),
        "empty key": tokens.hs256(claims, b""),
        "RS256 by the caller's key": tokens.rs256(claims),
        "HS256 by a public key, PEM": tokens.hs256_by_public_key(claims, Encoding.PEM),
        "HS256 by a public key, DER": tokens.hs256_by_public_key(claims, Encoding.DER),
        "HS256 that says RS256": tokens.hs256(claims, key, header={"alg": "RS256", "typ": "JWT"}),
        "HS256 that says HS512": tokens.hs256(claims, key, header={"alg": "HS512", "typ": "JWT"}),
        "other claims, old signature": tokens.with_other_claims(access["ada"], claims),
        "other audience": tokens.hs256({**claims, "aud": "another-service"}, key),
        "other issuer": tokens.hs256({**claims, "iss": "another-service"}, key),
        "no such user": tokens.hs256({**claims, "sub": str(2**53 - 1)}, key),
        "older generation": tokens.hs256({**claims, "gen": claims["gen"] - 1}, key),
        "refresh token": refresh_token,
        "malformed": "not.a.token",
        "empty": "",
        "deactivated user": access["gone"],
        "logged-out user": access["left"],
    }
    forged |= {f"no {name}": tokens.hs256(tokens.without(claims, name), key) for name in sorted(claims)}
    headers: dict[str, str | None] = {name: f"Bearer {token}" for name, token in forged.items()}
    return headers | {"no token": None, "no scheme": good, "Basic": f"Basic {good}"}


async def _call(client_id: int, state: CallState) -> int:
    """Store a margin call, as the monitor would; the client's debt is what it asks for."""
    await Margin.filter(client_id=client_id).update(loan=Decimal(2000))  # 10 AAPL at 200: nothing is left
    seen = await explain_client(client_id, caller=_MONITOR, settings=_SETTINGS)
    now = datetime.now(UTC)
    call = await MarginCall.create(
        client_id=client_id,
        type=CallType.HOUSE,
        state=state,
        amount=500,
        outstanding=500,
        opened_at=now,
        due_at=now,
        policy_id="flat",
        policy_version="1",
        price_basis="live",
        snapshot=plain(seen.model_dump()),
    )
    return int(call.id)


async def _post(http: httpx.AsyncClient, path: str, body: Mapping[str, object], headers: dict[str, str]) -> int:
    """Create something; return its id."""
    return int((await http.post(path, json=body, headers=headers)).raise_for_status().json()["id"])


async def _log_in(http: httpx.AsyncClient, username: str) -> dict[str, str]:
    form = {"grant_type": "password", "username": username, "password": PASSWORD}
    tokens_out: dict[str, str] = (await http.post("/auth/token", data=form)).raise_for_status().json()
    return tokens_out


async def _end_two_sessions(http: httpx.AsyncClient, access: Mapping[str, str], gone_id: int) -> None:
    """Deactivate one admin; let another log out."""
    boss = _bearer(access["boss"])
    (await http.patch(f"/users/{gone_id}", json={"is_active": False}, headers=boss)).raise_for_status()
    (await http.post("/auth/logout", headers=_bearer(access["left"]))).raise_for_status()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
