"""Positions and trades: table `position`, `/positions`. Page: docs/architecture.md."""
