"""Sending files, as a broker's operator does."""

from typing import Any

import httpx

CSV = {"Content-Type": "text/csv"}
JSON_LINES = {"Content-Type": "application/jsonl"}


async def send(
    http: httpx.AsyncClient,
    kind: str,
    file: str | bytes,
    headers: dict[str, str] = CSV,
    **parameters: str | int | list[str],
) -> dict[str, Any]:
    """Import a file; return the report."""
    response = await http.post("/imports", content=file, headers=headers, params={"kind": kind, **parameters})
    assert response.status_code == 201, response.text
    report: dict[str, Any] = response.json()
    return report


def counts(report: dict[str, Any]) -> tuple[str, int, int, int, int]:
    """Return the report's state, and how many rows it says were created, updated, kept and bad."""
    return report["state"], report["created"], report["updated"], report["kept"], report["bad_rows"]


def faults(report: dict[str, Any]) -> list[tuple[int, str | None]]:
    """Return where the report finds fault: lines and columns."""
    return [(error["line"], error["column"]) for error in report["errors"]]


async def client(http: httpx.AsyncClient, name: str = "Ada") -> int:
    """Store a client."""
    return int((await http.post("/clients", json={"name": name})).raise_for_status().json()["id"])


async def holdings(http: httpx.AsyncClient, client_id: int) -> list[dict[str, Any]]:
    """Return what a client holds."""
    listed: list[dict[str, Any]] = (await http.get(f"/positions/{client_id}")).raise_for_status().json()["positions"]
    return listed
