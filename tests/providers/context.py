"""What tests build price sources with."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from app.providers.replay.settings import ReplaySettings
from app.providers.types import SourceContext


async def nothing_stored(_source: str) -> datetime | None:
    return None


def source_context(
    newest_stored: Callable[[str], Awaitable[datetime | None]] = nothing_stored, **settings: object
) -> SourceContext:
    """Return a context with these settings, in which answers are kept for 5 seconds."""
    return SourceContext(
        settings=ReplaySettings.model_validate(settings),
        ttl_seconds=5,
        base_currency="USD",
        root=Path.cwd(),
        newest_stored=newest_stored,
    )
