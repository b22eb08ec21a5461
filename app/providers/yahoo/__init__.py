"""Yahoo Finance, by yfinance: quotes, FX rates, splits."""
