"""
PostgreSQL: connections, migrating, pool, the embedded server, bulk reads, batched reads, notifications.

Page: docs/architecture.md.
"""
