"""A process that does nothing but send webhooks: `python -m tests.webhooks.sender_process DATABASE_URL`."""

import asyncio
import sys
from dataclasses import replace

from app.database.connections import Database, session
from app.database.notifications import Signal
from app.events.wire import as_json
from app.webhooks.monitor import WebhookSender
from tests.webhooks.conftest import ANYWHERE, FAST


async def main(database_url: str) -> None:
    """Send until the process ends."""
    pace = replace(FAST, attempt_seconds=10, lease_seconds=1)
    async with session(Database(url=database_url)):
        await WebhookSender(signal=Signal(), addresses=ANYWHERE, encode=as_json, pace=pace).run()


asyncio.run(main(sys.argv[1]))
