"""Clients with loans and rates, and instruments, in files."""

from typing import Any

from httpx import AsyncClient

from tests.imports.sending import client, counts, faults, send


async def get(http: AsyncClient, client_id: int) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get(f"/clients/{client_id}")).raise_for_status().json()
    return {name: found[name] for name in ("name", "loan", "margin_requirement")}


async def test_clients_come_with_their_ids_loans_and_rates(risk: AsyncClient) -> None:
    file = 'id,name,loan,margin_requirement\n70001,Ada Lovelace,10000.5,0.3\n70002,"Hopper, Grace",-3,\n'

    report = await send(risk, "clients", file)

    assert counts(report) == ("stored", 2, 0, 0, 0)
    assert await get(risk, 70001) == {"name": "Ada Lovelace", "loan": 10000.5, "margin_requirement": 0.3}
    assert await get(risk, 70002) == {"name": "Hopper, Grace", "loan": -3.0, "margin_requirement": None}
    assert await client(risk) > 70002


async def test_a_client_without_id_gets_one_behind_those_of_the_file(risk: AsyncClient) -> None:
    report = await send(risk, "clients", "id,name\n80001,Ada\n,Grace\n")

    assert counts(report) == ("stored", 2, 0, 0, 0)
    assert await get(risk, 80002) == {"name": "Grace", "loan": 0.0, "margin_requirement": None}


async def test_loans_and_rates_alone_are_for_clients_that_exist(risk: AsyncClient) -> None:
    ada = await client(risk)

    report = await send(risk, "clients", f"id,margin_requirement\n{ada},0.4\n90001,0.4\n", mode="good")

    assert counts(report) == ("stored", 0, 1, 0, 1)
    assert faults(report) == [(3, "id")]
    assert await get(risk, ada) == {"name": "Ada", "loan": 0.0, "margin_requirement": 0.4}


async def test_what_a_file_does_not_have_stays(risk: AsyncClient) -> None:
    ada = await client(risk)
    await send(risk, "clients", f"id,loan,margin_requirement\n{ada},100,0.4\n")

    report = await send(risk, "clients", f"id,name\n{ada},Countess\n")

    assert counts(report) == ("stored", 0, 1, 0, 0)
    assert await get(risk, ada) == {"name": "Countess", "loan": 100.0, "margin_requirement": 0.4}


async def test_an_empty_rate_is_the_policys_and_an_empty_loan_a_fault(risk: AsyncClient) -> None:
    ada = await client(risk)
    await send(risk, "clients", f"id,margin_requirement\n{ada},0.4\n")

    assert counts(await send(risk, "clients", f"id,margin_requirement\n{ada},\n"))[0] == "stored"
    assert (await get(risk, ada))["margin_requirement"] is None
    assert faults(await send(risk, "clients", f"id,loan\n{ada},\n")) == [(2, "loan")]


async def test_every_rule_of_the_api_holds(risk: AsyncClient) -> None:
    rows = [" ,1,0.3", "Ada,1e12,0.3", "Ada,0.001,0.3", "Ada,1,0", "Ada,1,1.1", "Ada,1,0.00001", "A" * 201 + ",1,0.3"]

    report = await send(risk, "clients", "name,loan,margin_requirement\n" + "\n".join(rows))

    names = ["name", "loan", "loan", "margin_requirement", "margin_requirement", "margin_requirement", "name"]
    assert faults(report) == list(enumerate(names, start=2))


async def test_an_id_may_be_there_once(risk: AsyncClient) -> None:
    assert faults(await send(risk, "clients", "id,name\n95001,Ada\n95001,Grace\n")) == [(3, "id")]


async def test_existing_clients_may_be_kept(risk: AsyncClient) -> None:
    ada = await client(risk)

    report = await send(risk, "clients", f"id,name\n{ada},Other\n96001,Grace\n", existing="keep")

    assert counts(report) == ("stored", 1, 0, 1, 0)
    assert (await get(risk, ada))["name"] == "Ada"


async def test_names_are_any_text(risk: AsyncClient) -> None:
    names = ["Zoë Ångström", "back\\slash", 'quo"te', "'=1+1", "tab\there", "line\nend", "李雷"]
    cells = ['"' + name.replace('"', '""') + '"' for name in names]
    rows = "\n".join(f"{97000 + place},{cell}" for place, cell in enumerate(cells))

    report = await send(risk, "clients", f"id,name\n{rows}\n")

    assert counts(report) == ("stored", len(names), 0, 0, 0)
    stored = [(await get(risk, 97000 + place))["name"] for place in range(len(names))]
    assert stored == [name.removeprefix("'") for name in names]  # the apostrophe before a formula is the exporter's


async def test_bytes_that_are_no_text_are_a_fault(risk: AsyncClient) -> None:
    report = await send(risk, "clients", b"name\nAda\nZo\xeb\n\x00\n")

    assert faults(report) == [(3, "name"), (4, "name")]


async def test_instruments_are_stored_and_changed(risk: AsyncClient) -> None:
    await send(risk, "instruments", "symbol,leverage,marginable,house_rate\nTQQQ,3,true,0.9\nGME,1,false,\n")

    report = await send(risk, "instruments", "symbol,leverage\nTQQQ,2\nGME,1\nSQQQ,-3\nABC,0.5\n", mode="good")

    assert counts(report) == ("stored", 1, 1, 1, 1)
    assert faults(report) == [(5, "leverage")]
    found = (await risk.get("/instruments/TQQQ")).json()
    assert (found["leverage"], found["marginable"], found["house_rate"]) == (2.0, True, 0.9)
    assert (await risk.get("/instruments/SQQQ")).json()["marginable"] is True
