"""Health and metrics: `/health`, `/metrics`, for who runs the service. Page: docs/architecture.md."""
