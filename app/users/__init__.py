"""
Users, made and changed by an admin.

Tables `user`. Routes `/users`. Loops: none.
Page: docs/architecture.md.
"""
