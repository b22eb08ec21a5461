"""
`Idempotency-Key`: table `idempotency_key`; a write that is sent again is applied once.

Page: docs/architecture.md.
"""
