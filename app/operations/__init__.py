"""
Health and metrics, for the operators of the service.

Tables: none. Routes `/health`, `/metrics`. Loops: none.
Page: docs/architecture.md.
"""
