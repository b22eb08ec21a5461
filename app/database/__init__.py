"""
PostgreSQL: connections, migrating, pool, statements, bulk reads, batch loader, the embedded server.

Tables: none. Routes: none. Loops `notifications.Listener`, `pool_metrics.watch_pool`.
Page: docs/architecture.md.
"""
