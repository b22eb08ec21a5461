"""Whether the service can do its work."""

from app.database import sql


async def check_database() -> None:
    """
    Return if the database answers.

    Raises:
        one of `app.database.connections.DATABASE_DOWN`: it does not.
    """
    await sql.run("select 1")
