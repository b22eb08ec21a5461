"""What routes ask of margin calls: the settings by which they are opened and due."""

from typing import Annotated

from fastapi import Depends, Request

from app.margin_calls.types import CallSettings


async def get_call_settings(request: Request) -> CallSettings:
    """Return what margin calls depend on."""
    settings: CallSettings = request.app.state.call_settings
    return settings


CallSettingsDep = Annotated[CallSettings, Depends(get_call_settings)]
