"""Margin calls as case files."""
