"""A local stand-in for Yahoo Finance: the real yfinance talks to it through a proxy, with nothing patched."""
