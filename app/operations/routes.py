"""Probes for the operators of the service; open without a token."""

import asyncio
from typing import Final

from fastapi import APIRouter

from app.operations import service as health_service
from app.operations.schemas import HealthOut
from app.web.problems import problems

router = APIRouter(prefix="/health", tags=["health"])

_PATIENCE_SECONDS: Final = 3


@router.get("/live", operation_id="get_liveness", summary="Is the process alive?")
async def get_liveness() -> HealthOut:
    """Return 200 as long as the process answers; restart it if it does not."""
    return HealthOut()


@router.get("/ready", operation_id="get_readiness", summary="Can it do its work?", responses=problems(503))
async def get_readiness() -> HealthOut:
    """Return 200 when the database answers; send it no traffic while it says 503."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await health_service.check_database()
    return HealthOut()
