"""Use cases and their queries: one use case, one function, one transaction. No HTTP, no settings."""
