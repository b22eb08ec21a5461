"""Margin calls from opening to record."""
