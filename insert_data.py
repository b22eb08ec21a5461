"""Demo data: `python insert_data.py` stores demo clients and users; run again, it adds nothing."""

import argparse
import asyncio
import sys
from contextlib import ExitStack, aclosing

from tqdm import tqdm

from app import demo as demo_service
from app.auth.passwords import PasswordHasher
from app.auth.secret_files import describe_password
from app.composition import price_feed, price_source
from app.core import logs
from app.core.errors import AppError
from app.database.connections import Database, migrate, session, wait_until_ready
from app.database.embedded import running_embedded, start_embedded
from config import Settings, get_settings


def main() -> None:
    """Store the demo data and say what was done."""
    _parse_arguments()
    try:
        settings = get_settings()
        logs.configure(log_format=settings.log_format, level="error")
        with ExitStack() as stack:
            url = _database_url(settings, stack)
            seeded = asyncio.run(_insert(settings, url))
        _report(seeded, settings)
    except AppError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _parse_arguments() -> None:
    """Explain the command to who asks; it takes no argument."""
    argparse.ArgumentParser(
        description="Store demo clients and users, at today's prices where they can be had, else at sample prices. "
        "What is there already stays as it is.",
        epilog="Goes into the database of DATABASE_URL, else into the embedded one, whether the service runs or not. "
        "Settings come from the environment or .env.",
    ).parse_args()


def _database_url(settings: Settings, stack: ExitStack) -> str:
    """Return the database to fill: the configured one, the embedded one that runs, or that one started for now."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return running_embedded(settings.data_dir) or stack.enter_context(start_embedded(settings.data_dir)).url


async def _insert(settings: Settings, url: str) -> demo_service.Seeded:
    """Bring the schema up to date and store everything, behind a progress bar at a terminal."""
    database = Database(url=url, statement_cache_size=settings.statement_cache_size)
    await wait_until_ready(database, seconds=settings.database_wait_seconds)
    await migrate(database)
    provider = price_source(settings)
    total = len(demo_service.symbols())
    with tqdm(total=total, desc="prices", unit="symbol", disable=None) as bar:
        async with aclosing(provider), session(database):
            return await demo_service.seed(
                feed=price_feed(settings, provider),
                data_dir=settings.data_dir,
                passwords=PasswordHasher(),
                done=bar.update,
            )


def _report(seeded: demo_service.Seeded, settings: Settings) -> None:
    """Say what is there now."""
    print(f"{len(seeded.created)} demo clients stored, {len(seeded.kept)} were there already.")
    if seeded.sampled:
        date = demo_service.SAMPLE_DATE.date()
        print(f"The price source gave no price for {', '.join(seeded.sampled)}: sample prices of {date} stand in.")
    if seeded.skipped:
        print(f"Not stored, since a price or an exchange rate is missing: {', '.join(seeded.skipped)}. Run this again.")
    for username in seeded.users:
        print(describe_password(settings.data_dir, username, reveal=sys.stdout.isatty()))


if __name__ == "__main__":
    main()
