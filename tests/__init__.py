"""The specification of the service."""
