"""
The event stream: durable events in an outbox, live figures beside them, over SSE and WebSocket.

Tables `event`. Routes `/events`, `/ws/{clientId}`. Loops `monitor.Hub`.
Page: docs/architecture.md.
"""
