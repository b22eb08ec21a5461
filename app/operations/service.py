"""Whether the service can do its work."""

from tortoise import connections


async def check_database() -> None:
    """
    Return if the database answers.

    Raises:
        one of `app.db.DATABASE_DOWN`: it does not.
    """
    await connections.get("default").execute_query("select 1")
