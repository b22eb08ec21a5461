"""The audit trail: what every write leaves in it, and what tampering leaves behind."""
