"""Market data sources behind one Protocol (`types`): a folder a vendor, and the registry that knows them by name."""
