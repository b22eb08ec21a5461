"""The service as its user runs it: processes that start, serve, are stopped, killed and started again."""
