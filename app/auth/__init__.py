"""
Access: passwords, tokens, sessions, who is calling and which clients the caller may see.

Tables `refresh_token`, `login_attempt`. Routes `/auth`. Loops: none.
Page: docs/architecture.md.
"""
