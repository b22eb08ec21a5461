"""Files out: `/exports`, one moment of the database as an import takes it. Page: docs/architecture.md."""
