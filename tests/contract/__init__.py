"""The contract that /openapi.json states, held against the service."""
