"""Corporate actions: table `split`; splits and how they reach every holder. Page: docs/architecture.md."""
