"""Margin arithmetic on arrays: columns in, columns out. No clock, log, database or configuration."""
