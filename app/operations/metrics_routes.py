"""Figures for Prometheus: without a token, for this machine alone unless configured otherwise."""

import asyncio
from ipaddress import IPv6Address, ip_address
from typing import Final

from fastapi import APIRouter, Depends, Request, Response

from app.book.deps import BookDep
from app.core import metrics
from app.core.errors import PermissionDeniedError
from app.operations import metrics_snapshot as stored_service
from app.web.deps import SettingsDep

router = APIRouter()

#: Less than the 10 s that Prometheus waits.
_PATIENCE_SECONDS: Final = 5
#: Who sends one of these passes on another's request, whatever it says there.
_RELAYED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")


def check_reader(request: Request, settings: SettingsDep) -> None:
    """
    Return if the caller may see the figures.

    Raises:
        PermissionDeniedError: it is not on this machine, or its request was relayed, and they are not public.
    """
    if settings.metrics_public:
        return
    relayed = any(name in request.headers for name in _RELAYED)
    if relayed or request.client is None or not _is_loopback(request.client.host):
        raise PermissionDeniedError("Metrics are for this machine alone; RISK_METRICS_PUBLIC=true opens them to all.")


@router.get("/metrics", include_in_schema=False, dependencies=[Depends(check_reader)])
async def get_metrics(request: Request, book: BookDep) -> Response:
    """Return the figures of all workers in Prometheus' text form; those of stored data are missing while it is away."""
    stored = await stored_service.read_within(_PATIENCE_SECONDS, book=book)
    body = await asyncio.to_thread(metrics.page, stored, version=request.app.version)
    return Response(body, media_type=metrics.CONTENT_TYPE)


def _is_loopback(host: str) -> bool:
    """Return whether an address is of this machine; a name is not."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
