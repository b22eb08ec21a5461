"""
Durable events pushed to receivers: signed, in order for each client, at least once.

Tables `webhook`, `webhook_delivery`. Routes `/webhooks`. Loops `monitor.WebhookSender`.
Page: docs/architecture.md.
"""
