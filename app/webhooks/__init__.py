"""
Webhooks: tables `webhook`, `webhook_delivery`, `/webhooks`; loop: `monitor.WebhookSender`.

Page: docs/architecture.md.
"""
