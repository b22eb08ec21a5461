"""Entity tags: nothing is sent that the caller has, and nothing overwritten that the caller has not seen."""

from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.web.etags import etag_of
from tests.fakes import FakeProvider

AAPL = {"quantity": 100, "cost_basis": 150.0}
TQQQ = {"leverage": 3.0, "marginable": True, "house_rate": 0.9}
STALE = '"0123456789abcdef0123456789abcdef"'


@pytest.fixture
async def ada(risk: AsyncClient) -> str:
    """Store a client with a position, beside another client with the same one; return its path."""
    ids = [(await risk.post("/clients", json={"name": name})).json()["id"] for name in ("Ada", "Grace")]
    for client_id in ids:
        (await risk.put(f"/positions/{client_id}/AAPL", json=AAPL)).raise_for_status()
    return f"/clients/{ids[0]}"


@pytest.fixture
async def aapl(ada: str) -> str:
    return f"{ada.replace('clients', 'positions')}/AAPL"


@pytest.fixture
async def tqqq(risk: AsyncClient) -> str:
    (await risk.put("/instruments/TQQQ", json=TQQQ)).raise_for_status()
    return "/instruments/TQQQ"


@pytest.fixture(params=["client", "position", "instrument"])
def resource(request: pytest.FixtureRequest, ada: str, aapl: str, tqqq: str) -> tuple[str, str, dict[str, Any]]:
    """Return a path, how it is changed, and to what."""
    ways: dict[str, tuple[str, str, dict[str, Any]]] = {
        "client": (ada, "PATCH", {"loan": 12500.0}),
        "position": (aapl, "PUT", {"quantity": 70, "cost_basis": 151.5}),
        "instrument": (tqqq, "PUT", {"leverage": 2.0, "marginable": False, "house_rate": None}),
    }
    return ways[request.param]


async def change(risk: AsyncClient, resource: tuple[str, str, dict[str, Any]], **headers: str) -> Response:
    path, method, body = resource
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await risk.request(method, path, json=body, headers=named)


@pytest.mark.parametrize(
    "path",
    ["/clients", "{ada}", "/positions/{id}", "/positions/{id}/AAPL", "/instruments", "/instruments/TQQQ", "/stocks"],
)
async def test_what_the_caller_has_is_not_sent_again(risk: AsyncClient, ada: str, tqqq: str, path: str) -> None:
    path = path.format(ada=ada, id=ada.rpartition("/")[2])
    first = await risk.get(path)
    etag = first.headers["ETag"]

    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await risk.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag), known
    assert (await risk.get(path, headers={"If-None-Match": STALE})).content == first.content


async def test_a_page_that_is_not_sent_again_still_names_the_next(risk: AsyncClient, ada: str) -> None:
    first = await risk.get("/clients?limit=1")

    again = await risk.get("/clients?limit=1", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.headers["Link"]) == (304, first.headers["Link"])


async def test_a_change_changes_the_tag(risk: AsyncClient, resource: tuple[str, str, dict[str, Any]]) -> None:
    before = await risk.get(resource[0])

    changed = await change(risk, resource)
    after = await risk.get(resource[0], headers={"If-None-Match": before.headers["ETag"]})

    assert (after.status_code, after.headers["ETag"] != before.headers["ETag"]) == (200, True)
    # What a change answers with is what a read would say, tag and all.
    assert (changed.content, changed.headers["ETag"]) == (after.content, after.headers["ETag"])
    assert changed.headers["Content-Location"] == resource[0]


async def test_a_new_client_is_answered_with_the_tag_of_its_first_read(risk: AsyncClient) -> None:
    created = await risk.post("/clients", json={"name": "Edsger", "loan": 0.1})

    read = await risk.get(created.headers["Location"])

    assert (read.headers["ETag"], read.content) == (created.headers["ETag"], created.content)


async def test_a_trade_changes_the_tags_of_client_and_position(
    risk: AsyncClient, ada: str, aapl: str, provider: FakeProvider
) -> None:
    provider.give("AAPL", "150")
    before = [(await risk.get(path)).headers["ETag"] for path in (ada, aapl)]

    trade = {"symbol": "AAPL", "quantity": 1, "price": 150}
    (await risk.post(f"{aapl.removesuffix('AAPL')}trades", json=trade)).raise_for_status()

    after = [(await risk.get(path)).headers["ETag"] for path in (ada, aapl)]
    assert before[0] != after[0]
    assert before[1] != after[1]


async def test_a_change_of_what_the_caller_saw_is_made(
    risk: AsyncClient, resource: tuple[str, str, dict[str, Any]]
) -> None:
    seen = (await risk.get(resource[0])).headers["ETag"]

    assert (await change(risk, resource, If_Match=f"{STALE}, {seen}")).status_code == 200


@pytest.mark.parametrize("tag", [STALE, "W/{seen}", "{seen} ", "seen", '""'])
async def test_a_change_of_what_the_caller_did_not_see_is_refused(
    risk: AsyncClient, resource: tuple[str, str, dict[str, Any]], tag: str
) -> None:
    before = await risk.get(resource[0])
    seen = before.headers["ETag"]
    expected = 200 if tag == "{seen} " else 412  # a weak tag never says that it is the same to the byte

    response = await change(risk, resource, If_Match=tag.format(seen=seen))

    assert response.status_code == expected
    if expected == 412:
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["type"] == "urn:problem:precondition-failed"
        assert (await risk.get(resource[0])).content == before.content


async def test_the_second_of_two_who_saw_the_same_is_refused(
    risk: AsyncClient, resource: tuple[str, str, dict[str, Any]]
) -> None:
    seen = (await risk.get(resource[0])).headers["ETag"]

    statuses = [(await change(risk, resource, If_Match=seen)).status_code for _ in range(2)]

    assert statuses == [200, 412]


async def test_a_star_wants_it_to_exist(risk: AsyncClient, ada: str, aapl: str, tqqq: str) -> None:
    star = {"If-Match": "*"}
    calls = [
        ("PATCH", ada, {"loan": 1}),
        ("PUT", aapl, AAPL),
        ("PUT", tqqq, TQQQ),
        ("PUT", f"{aapl}X", AAPL),
        ("PUT", "/instruments/NEW", TQQQ),
        ("PATCH", "/clients/999999999", {"loan": 1}),  # what is not there is not there, whatever is expected of it
    ]

    statuses = [(await risk.request(method, path, json=body, headers=star)).status_code for method, path, body in calls]

    assert statuses == [200, 200, 200, 412, 412, 404]
    assert (await risk.get(f"{aapl}X")).status_code == 404
    assert (await risk.get("/instruments/NEW")).status_code == 404


async def test_create_only_makes_what_is_new_and_nothing_else(risk: AsyncClient, aapl: str, tqqq: str) -> None:
    none = {"If-None-Match": "*"}
    calls = [(aapl, AAPL), (f"{aapl}X", AAPL), (f"{aapl}X", AAPL), (tqqq, TQQQ), ("/instruments/NEW", TQQQ)]

    statuses = [(await risk.put(path, json=body, headers=none)).status_code for path, body in calls]

    assert statuses == [412, 201, 412, 412, 201]


async def test_only_what_the_caller_saw_is_deleted(risk: AsyncClient, ada: str, aapl: str) -> None:
    seen = [(await risk.get(path)).headers["ETag"] for path in (aapl, ada)]

    statuses = []
    for path, etag in zip((aapl, ada), seen, strict=True):
        statuses += [(await risk.delete(path, headers={"If-Match": tag})).status_code for tag in (STALE, etag)]

    assert statuses == [412, 204, 412, 204]
    assert [(await risk.get(path)).status_code for path in (aapl, ada)] == [404, 404]


def test_a_tag_is_of_the_whole_body() -> None:
    tags = {etag_of(body) for body in (b"", b"{}", b"{} ", b'{"a":1}')}

    assert len(tags) == 4
    assert all(tag.startswith('"') and tag.endswith('"') and len(tag) == 34 for tag in tags)
