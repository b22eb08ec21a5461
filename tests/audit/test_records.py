"""Each write leaves one entry: who, what, before, after. A write that fails leaves none."""

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient
from structlog.contextvars import bound_contextvars
from tortoise.transactions import in_transaction

from app import demo as demo_service
from app.audit import hash_chain, recorder
from app.audit.recorder import Change
from app.auth.passwords import PasswordHasher
from app.models import AuditEntry, Role, User
from app.stocks.types import PriceFeed
from app.users import service as users_service
from tests.audit.conftest import Recorded
from tests.conftest import LoginAs
from tests.fakes import FakeProvider, Rollback

PASSWORD = "correct horse battery"


async def make_client(risk: AsyncClient, **fields: object) -> int:
    return int((await risk.post("/clients", json={"name": "Ada"} | fields)).json()["id"])


def essence(entry: AuditEntry) -> tuple[Any, ...]:
    return (entry.action, entry.entity, entry.entity_id, entry.client_id, entry.before, entry.after)


async def test_a_client_is_recorded_from_its_creation_to_its_deletion(risk: AsyncClient, recorded: Recorded) -> None:
    client_id = await make_client(risk, loan=10000.5, margin_requirement=0.4)
    await risk.patch(f"/clients/{client_id}", json={"loan": 0, "margin_requirement": None})
    await risk.delete(f"/clients/{client_id}")

    made = {"name": "Ada", "loan": "10000.5", "margin_requirement": "0.4"}
    changed = {"name": "Ada", "loan": "0", "margin_requirement": None}
    key = ("client", str(client_id), client_id)
    assert [essence(entry) for entry in await recorded()] == [
        ("create", *key, None, made),
        ("update", *key, made, changed),
        ("delete", *key, changed, None),
    ]


async def test_a_position_is_recorded_from_its_creation_to_its_deletion(risk: AsyncClient, recorded: Recorded) -> None:
    client_id = await make_client(risk)
    for quantity in (0.000001, -3):
        await risk.put(f"/positions/{client_id}/aapl", json={"quantity": quantity, "cost_basis": 150.25})
    await risk.delete(f"/positions/{client_id}/AAPL")

    first = {"symbol": "AAPL", "quantity": "0.000001", "cost_basis": "150.25"}
    second = {"symbol": "AAPL", "quantity": "-3", "cost_basis": "150.25"}
    key = ("position", "AAPL", client_id)
    assert [essence(entry) for entry in (await recorded())[1:]] == [
        ("create", *key, None, first),
        ("update", *key, first, second),
        ("delete", *key, second, None),
    ]


async def test_a_trade_is_one_entry_with_position_and_loan(
    risk: AsyncClient, recorded: Recorded, provider: FakeProvider
) -> None:
    provider.give("AAPL", "100")
    client_id = await make_client(risk, loan=5)
    for quantity in (2, -2):
        trade = {"symbol": "AAPL", "quantity": quantity, "price": 100.5}
        assert (await risk.post(f"/positions/{client_id}/trades", json=trade)).status_code == 201

    held = {"symbol": "AAPL", "quantity": "2", "cost_basis": "100.5"}
    bought = {"quantity": "2", "price": "100.5", "fx": "1"}
    sold = {"quantity": "-2", "price": "100.5", "fx": "1"}
    key = ("trade", "position", "AAPL", client_id)
    assert [essence(entry) for entry in (await recorded())[1:]] == [
        (*key, {"position": None, "loan": "5"}, {"position": held, "loan": "206", "trade": bought}),
        (*key, {"position": held, "loan": "206"}, {"position": None, "loan": "5", "trade": sold}),
    ]


async def test_an_instrument_is_recorded(risk: AsyncClient, recorded: Recorded) -> None:
    bodies = [{"leverage": 3, "marginable": True}, {"leverage": 3, "marginable": False, "house_rate": 0.75}]
    for body in bodies:
        await risk.put("/instruments/tqqq", json=body)

    first = {"leverage": "3", "marginable": True, "house_rate": None}
    second = {"leverage": "3", "marginable": False, "house_rate": "0.75"}
    assert [essence(entry) for entry in await recorded()] == [
        ("create", "instrument", "TQQQ", None, None, first),
        ("update", "instrument", "TQQQ", None, first, second),
    ]


async def test_a_user_is_recorded_without_a_trace_of_its_password(admin: AsyncClient, recorded: Recorded) -> None:
    body = {"username": "Grace", "password": PASSWORD, "role": "risk"}
    user_id = (await admin.post("/users", json=body)).json()["id"]
    await admin.patch(f"/users/{user_id}", json={"is_active": False, "password": PASSWORD + "!"})

    made = {"username": "grace", "role": "risk", "client_id": None, "is_active": True}
    entries = await recorded()
    assert [essence(entry) for entry in entries] == [
        ("create", "user", str(user_id), None, None, made),
        ("update", "user", str(user_id), None, made, made | {"is_active": False, "password_changed": True}),
    ]
    stored = await User.get(id=user_id)
    assert not any(secret in str(essence(entry)) for entry in entries for secret in (PASSWORD, stored.password_hash))


async def test_deleting_a_client_also_records_the_logins_that_it_ends(
    risk: AsyncClient, login_as: LoginAs, recorded: Recorded
) -> None:
    client_id = await make_client(risk)
    await login_as(Role.CLIENT, client_id=client_id)
    await risk.delete(f"/clients/{client_id}")

    user = await User.get(client_id=client_id)
    deleted, ended = (await recorded())[-2:]
    assert deleted.action == "delete"
    assert essence(ended) == ("update", "user", str(user.id), client_id, {"is_active": True}, {"is_active": False})


async def test_an_entry_names_the_caller_and_the_request(risk: AsyncClient, recorded: Recorded) -> None:
    response = await risk.post("/clients", json={"name": "Ada"}, headers={"X-Request-ID": "made-by-a-test"})

    (entry,) = await recorded()
    assert response.headers["X-Request-ID"] == entry.request_id == "made-by-a-test"
    assert entry.actor == "risk0"


async def test_what_the_service_does_by_itself_has_the_actor_system(recorded: Recorded) -> None:
    await users_service.ensure_admin(
        "root", password=PASSWORD, make_password=lambda: PASSWORD, passwords=PasswordHasher()
    )

    (entry,) = await recorded()
    assert (entry.actor, entry.action, entry.request_id) == ("system", "create", None)


async def test_a_write_that_changes_nothing_leaves_no_entry(risk: AsyncClient, recorded: Recorded) -> None:
    client_id = await make_client(risk, loan=7)
    await risk.patch(f"/clients/{client_id}", json={"loan": 7.0})
    await risk.patch(f"/clients/{client_id}", json={})

    assert len(await recorded()) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/clients", {"name": ""}, 422),
        ("PATCH", "/clients/9007199254740991", {"loan": 1}, 404),
        ("DELETE", "/clients/{id}", None, 409),
        ("PUT", "/positions/{id}/EURUSD=X", {"quantity": 1, "cost_basis": 1}, 422),
        ("DELETE", "/positions/{id}/MSFT", None, 404),
        ("POST", "/positions/{id}/trades", {"symbol": "NOPE", "quantity": 1, "price": 1}, 404),
        ("POST", "/users", {"username": "x", "password": PASSWORD, "role": "risk"}, 403),
    ],
)
async def test_a_write_that_is_refused_leaves_no_entry(
    risk: AsyncClient, recorded: Recorded, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    client_id = await make_client(risk, loan=1)

    response = await risk.request(method, path.format(id=client_id), json=body)

    assert response.status_code == status, response.text
    assert len(await recorded()) == 1


async def test_a_write_that_is_rolled_back_takes_its_entry_with_it(recorded: Recorded) -> None:
    with suppress(Rollback):
        async with in_transaction():
            await recorder.record(Change(action="create", entity="client", entity_id=1), actor="desk")
            raise Rollback

    assert await recorded() == []


async def test_a_bulk_change_is_one_entry_with_a_digest_that_every_row_moves(recorded: Recorded) -> None:
    rows = [{"symbol": "AAPL", "quantity": Decimal(n)} for n in range(1, 1001)]
    change = Change(action="import", entity="position", entity_id=None, after=hash_chain.digest(rows))
    with bound_contextvars(request_id="import-1"):
        await recorder.record(change, actor="desk", touches=recorder.EVERYTHING)

    (entry,) = await recorded()
    assert isinstance(entry.after, dict)
    assert (entry.entity_id, entry.request_id, entry.after["rows"]) == (None, "import-1", 1000)
    rows[500]["quantity"] = Decimal("501.000001")
    assert hash_chain.digest(rows)["sha256"] != entry.after["sha256"]


def test_decimals_are_exact_strings_and_floats_have_no_place() -> None:
    values = [Decimal("10000.00"), Decimal("1E+3"), Decimal("-0.00"), Decimal("0.00000001"), Decimal("99999999999.99")]

    assert hash_chain.plain(values) == ["10000", "1000", "0", "0.00000001", "99999999999.99"]
    with pytest.raises(TypeError, match="float"):
        hash_chain.plain({"price": 0.1})


async def test_what_was_recorded_hashes_to_the_same_when_it_is_read_back(recorded: Recorded) -> None:
    odd: dict[str, Any] = {
        "name": 'Ünï "quoted" \\ / \u2028 \x7f 😀',
        "z": 1,
        "a": [None, True, {"b": 2**53, "aa": -1}],
        "": "",
    }
    await recorder.record(Change(action="update", entity="client", entity_id=1, before={}, after=odd), actor="Ünï")

    (row,) = await recorded()
    entry = hash_chain.Entry(**{name: getattr(row, name) for name in hash_chain.Entry.__dataclass_fields__})
    assert row.after == odd
    assert hash_chain.entry_hash(entry) == row.hash
    assert hash_chain.entry_hash(replace(entry, after=odd | {"z": 2})) != row.hash


async def test_demo_data_is_one_bulk_entry_and_one_for_each_user(
    recorded: Recorded, provider: FakeProvider, tmp_path: Path
) -> None:
    for _ in range(2):  # the second time changes nothing
        await demo_service.seed(
            feed=PriceFeed(provider, "USD"), data_dir=tmp_path, passwords=PasswordHasher(), seconds=0.1
        )

    bulk, *users = await recorded()
    assert (bulk.action, bulk.entity, bulk.entity_id, bulk.actor) == ("import", "client", None, "system")
    assert isinstance(bulk.after, dict)
    assert bulk.after["rows"] == len(demo_service.CASES)
    assert [user.after["username"] for user in users if isinstance(user.after, dict)] == ["desk", "ada"]
