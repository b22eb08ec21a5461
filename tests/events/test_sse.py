"""`GET /events`: form, filters, access, figures, resuming."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import asyncpg
import httpx
import pytest

from tests.events.conftest import SYMBOL, Login, World
from tests.events.sse import following, take

Publish = Callable[..., Awaitable[None]]


async def test_a_durable_event_has_the_form_of_the_contract(
    admin: httpx.AsyncClient, client_id: int, publish: Publish
) -> None:
    async with following(admin, clientId=client_id, kind="state") as stream:
        opening = await anext(stream)
        await publish(client_id, '{"from": "ok", "to": "call"}')
        frame = await take(stream, "state")

    assert (opening.event, opening.data, opening.comments) == ("", "", ["open"])
    assert opening.id is not None
    assert frame.id is not None
    assert int(frame.id) > int(opening.id)
    body = frame.body
    assert datetime.fromisoformat(body.pop("at")).utcoffset() is not None
    assert body == {
        "id": int(frame.id),
        "kind": "state",
        "clientId": client_id,
        "symbol": None,
        "data": {"from": "ok", "to": "call"},
    }


async def test_a_connection_begins_with_the_figures_of_its_client(admin: httpx.AsyncClient, client_id: int) -> None:
    margin = (await admin.get(f"/margin/{client_id}")).json()

    async with following(admin, clientId=client_id) as stream:
        price, figures = await take(stream, "price"), await take(stream, "margin")

    assert (price.id, price.body["id"], price.body["symbol"], price.body["clientId"]) == (None, None, SYMBOL, None)
    assert price.body["data"] == {"price": margin["portfolio_value"] / 10, "currency": "USD"}
    assert (figures.id, figures.body["clientId"]) == (None, client_id)
    assert figures.body["data"] == {
        name: value for name, value in margin.items() if name not in {"timestamp", "clientId"}
    } | {"state": "ok"}


@pytest.mark.parametrize("everything", [True, False])
async def test_a_change_of_price_moves_figures(
    admin: httpx.AsyncClient, client_id: int, world: World, *, everything: bool
) -> None:
    before = (await admin.get(f"/margin/{client_id}")).json()["portfolio_value"] / 10
    now = 180.0 if before != 180.0 else 190.0
    params = {} if everything else {"clientId": client_id}
    async with following(admin, **params) as stream:
        while (frame := await take(stream, "margin")).body["clientId"] != client_id:
            pass
        assert frame.body["data"]["portfolio_value"] == before * 10

        world.standin.world.quote(SYMBOL, now)
        (await admin.get(f"/stocks/{SYMBOL}")).raise_for_status()

        assert (await take(stream, "price")).body["data"]["price"] == now
        while (frame := await take(stream, "margin")).body["clientId"] != client_id:
            pass
        assert frame.body["data"]["portfolio_value"] == now * 10


async def test_what_another_process_writes_is_told_here(
    admin: httpx.AsyncClient, client_id: int, login: Login, publish: Publish
) -> None:
    other = await login("risk", server=1)
    async with following(other.http, clientId=client_id) as stream:
        await take(stream, "margin")
        (await admin.patch(f"/clients/{client_id}", json={"loan": 1234})).raise_for_status()
        assert (await take(stream, "margin")).body["data"]["loan_amount"] == 1234.0
        await publish(client_id, "{}")
        assert (await take(stream, "state")).body["clientId"] == client_id


async def test_kinds_and_clients_that_are_not_wanted_do_not_come(
    admin: httpx.AsyncClient, client_id: int, publish: Publish
) -> None:
    other = (await admin.post("/clients", json={"name": "Grace"})).json()["id"]
    async with following(admin, clientId=client_id, kind=["state", "margin_call"]) as stream:
        await anext(stream)
        await publish(other, '{"n": 1}')
        await admin.patch(f"/clients/{client_id}", json={"loan": 77})
        await asyncio.sleep(0.6)  # two beats
        await publish(client_id, '{"n": 2}')
        frame = await anext(stream)

    assert (frame.event, frame.body["data"]) == ("state", {"n": 2})


async def test_a_client_sees_itself_and_nobody_else(
    admin: httpx.AsyncClient, client_id: int, login: Login, publish: Publish
) -> None:
    other = (await admin.post("/clients", json={"name": "Grace"})).json()["id"]
    person = await login("client", client_id)

    async with following(person.http, last_event_id=0, follow=False) as stream:
        assert {frame.body["clientId"] async for frame in stream if frame.event == "margin"} == {client_id}
    async with following(person.http) as stream:
        await take(stream, "margin")
        await publish(other, "{}")
        await publish(client_id, '{"mine": true}')
        assert (await anext(stream)).body["data"] == {"mine": True}
    assert (await person.http.get("/events", params={"clientId": other})).status_code == 404
    assert (await admin.get("/events", params={"clientId": 2**40})).status_code == 404


async def test_without_a_good_token_or_with_one_in_the_url_nothing_comes(admin: httpx.AsyncClient) -> None:
    bad = await admin.get("/events", headers={"Authorization": "Bearer nonsense"})
    in_url = await admin.get("/events", params={"access_token": "anything"})

    assert (bad.status_code, bad.headers["www-authenticate"]) == (401, "Bearer")
    assert in_url.status_code == 422


async def test_asking_for_what_is_no_longer_kept_gives_resync_with_what_holds_now(
    admin: httpx.AsyncClient, client_id: int, connection: asyncpg.Connection, publish: Publish
) -> None:
    await publish(client_id, '{"n": 1}', '{"n": 2}', '{"n": 3}')
    third = await connection.fetchval("select max(id) from event")
    await connection.execute("delete from event where id < $1", third)

    for asked, expected in ((third - 2, "resync"), (third + 1000, "resync"), (third - 1, "state")):
        async with following(admin, last_event_id=asked, clientId=client_id, follow=False) as stream:
            got = [frame async for frame in stream]
        assert [frame.event for frame in got if frame.event in {"resync", "state"}] == [expected]
        if expected == "resync":
            assert got[0].id == str(third)
            body = got[0].body["data"]
            assert body == {
                "requested": asked,
                "oldest": third,
                "newest": third,
                "states": [{"clientId": client_id, "state": "ok"}],
                "margin_calls": [],
            }
        assert [frame.event for frame in got[-2:]] == ["margin", "bye"]
        assert got[-1].body["data"] == {"reason": "complete", "last_event_id": third}


async def test_more_streams_than_a_user_may_have_are_refused(login: Login, client_id: int) -> None:
    person = await login("client", client_id)
    streams = [person.http.stream("GET", "/events") for _ in range(5)]
    for stream in streams:
        assert (await stream.__aenter__()).status_code == 200

    refused = await person.http.get("/events")

    for stream in streams:
        await stream.__aexit__(None, None, None)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    for _ in range(40):  # a seat is free again as soon as the server sees that its reader left
        async with person.http.stream("GET", "/events") as response:
            if response.status_code == 200:
                return
        await asyncio.sleep(0.05)
    raise AssertionError("no stream although all were closed")
