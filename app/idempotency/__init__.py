"""
`Idempotency-Key`: a write that is sent again is applied once.

Tables `idempotency_key`. Routes: none; a decorator for those of other rooms. Loops: none.
Page: docs/architecture.md.
"""
