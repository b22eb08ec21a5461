"""Clients with their loan and own rate: tables `client`, `margin`, `/clients`. Page: docs/architecture.md."""
