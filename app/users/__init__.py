"""Users, made and changed by an admin: table `user`, `/users`. Page: docs/architecture.md."""
