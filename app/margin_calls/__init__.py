"""
Margin calls from opening to record, and the states of clients.

Tables `margin_call`, `margin_call_event`, `client_state`. Routes `/margin-calls`.
Loops `monitor.Reviewer`, which `app.leader` runs.
Page: docs/architecture.md.
"""
