"""Compile the engine's kernels and leave them in the cache: `python -m app.engine.compile`, once at installation."""

from importlib import import_module


def main() -> None:
    """Import every module with kernels, which compiles those that the cache does not have."""
    import_module("app.engine.explain")
    import_module("app.engine.stress")


if __name__ == "__main__":
    main()
