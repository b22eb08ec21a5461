"""Swagger UI comes from the server itself, and its Authorize button knows where to log in."""

import re

import httpx
import pytest
from fastapi import FastAPI


@pytest.fixture
def http(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_page_and_all_that_it_loads_come_from_the_server(http: httpx.AsyncClient) -> None:
    page = (await http.get("/docs")).raise_for_status().text

    loaded = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page)
    assert len(loaded) == 3
    for address in loaded:
        assert address.startswith("/docs/assets/"), address
        assert (await http.get(address)).raise_for_status().content
    assert re.findall(r"https?://[^\"'\s]+", page) == []
    assert "/openapi.json" in page


async def test_assets_load_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    style = (await http.get("/docs/assets/swagger-ui.css")).text

    assert re.findall(r"url\(['\"]?(?:https?:)?//|@import", style) == []


async def test_anybody_may_read_the_document(http: httpx.AsyncClient, app: FastAPI) -> None:
    assert (await http.get("/openapi.json")).json() == app.openapi()


async def test_authorize_logs_in_with_a_password(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()

    assert [scheme["flows"] for scheme in document["components"]["securitySchemes"].values()] == [
        {"password": {"tokenUrl": "auth/token", "refreshUrl": "auth/refresh", "scopes": {}}}
    ]
    body = document["paths"]["/auth/token"]["post"]["requestBody"]["content"]
    assert list(body) == ["application/x-www-form-urlencoded"]
