"""
Margin calls: tables `margin_call`, `margin_call_event`, `client_state`, `/margin-calls`; loop: `monitor.Reviewer`.

Page: docs/architecture.md.
"""
