"""Demo data: `python insert_data.py` stores demo clients and users; run again, it changes nothing."""

import argparse
import asyncio
import sys
from contextlib import ExitStack

from pydantic import ValidationError
from tqdm import tqdm

from app import logs
from app.db import Database, migrate, session, wait_until_ready
from app.embedded import running_embedded, start_embedded
from app.errors import AppError
from app.providers import build_provider
from app.security import PasswordHasher
from app.services import demo as demo_service
from config import Settings, get_settings


def main() -> None:
    """Store the demo data and say what was done."""
    description = "Store demo clients and users. Settings come from the environment or .env."
    argparse.ArgumentParser(description=description).parse_args()
    try:
        settings = get_settings()
        logs.configure(log_format=settings.log_format, level="warning")
        with ExitStack() as stack:
            url = _database_url(settings, stack)
            asyncio.run(_insert(settings, Database(url=url, statement_cache_size=settings.statement_cache_size)))
    except ValidationError as error:
        sys.exit(f"error: settings: {error}")
    except AppError as error:
        sys.exit(f"error: {error}")


def _database_url(settings: Settings, stack: ExitStack) -> str:
    """Return the database to fill: the configured one, the embedded one that runs, or that one started for now."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return running_embedded(settings.data_dir) or stack.enter_context(start_embedded(settings.data_dir)).url


async def _insert(settings: Settings, database: Database) -> None:
    """Fetch prices, store everything, print the outcome."""
    await wait_until_ready(database, seconds=10)
    await migrate(database)
    provider = build_provider(settings.price_provider, ttl_seconds=settings.price_ttl_seconds)
    try:
        with tqdm(total=len(demo_service.symbols()), desc="prices", unit="symbol", disable=None) as bar:
            quotes = await demo_service.fetch_quotes(
                provider=provider, base_currency=settings.base_currency, done=bar.update
            )
        async with session(database):
            seeded = await demo_service.seed(
                quotes,
                base_currency=settings.base_currency,
                data_dir=settings.data_dir,
                passwords=PasswordHasher(),
            )
    finally:
        await provider.aclose()
    _report(seeded, settings)


def _report(seeded: demo_service.Seeded, settings: Settings) -> None:
    """Say what is there now."""
    print(f"{len(seeded.created)} demo clients stored, {len(seeded.kept)} were there already.")
    if seeded.sampled:
        date = demo_service.SAMPLE_DATE.date()
        print(f"The price source gave no price for {', '.join(seeded.sampled)}: sample prices of {date} stand in.")
    print(f"Demo users: desk (role risk) and ada (role client); passwords in {settings.data_dir / 'passwords'}.")


if __name__ == "__main__":
    main()
