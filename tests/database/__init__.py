"""The embedded PostgreSQL, with real servers only."""
