"""
Access: table `refresh_token`, `/auth`; tokens, passwords, sessions, who is calling and what it may see.

Page: docs/architecture.md.
"""
