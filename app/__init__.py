"""The margin risk service: prices, positions, loans, and what they ask for."""
