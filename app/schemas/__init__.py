"""Wire formats: what comes in is `...In`, what goes out is `...Out`."""
