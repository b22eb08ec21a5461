"""
The stream: table `event` (durable events), live figures, `GET /events`, `WS /ws`; loop: `monitor.Hub`.

Page: docs/architecture.md.
"""
