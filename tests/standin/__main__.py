"""
Run the stand-in as a process of its own, until it is killed.

    python -m tests.standin --quotes '{"AAPL": {"price": 190.5}}' --environment standin.env

The environment file holds NAME=value lines to start the program under test with; the address for steering (`PUT
/quotes`, `PUT /fault`, `PUT /price-factor`, `PUT /splits`, `GET /counts`) is the proxy's own.
"""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from tests.standin.server import Standin


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.standin", description="A local stand-in for Yahoo Finance.")
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    parser.add_argument("--quotes", type=json.loads, default={}, help="JSON: {symbol: {price, currency, ...}}")
    parser.add_argument("--recordings", type=Path, help="folder with quote/*.json and chart/*.json to answer with")
    parser.add_argument("--environment", type=Path, help="file to write NAME=value lines to (default: standard output)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="yfinance-cache-") as cache, Standin(port=options.port) as standin:
        for symbol, fields in options.quotes.items():
            standin.world.quote(symbol, **fields)
        if options.recordings:
            standin.world.play_recordings(options.recordings)
        lines = "".join(f"{name}={value}\n" for name, value in standin.environment(Path(cache)).items())
        if options.environment:
            options.environment.write_text(lines)
        sys.stdout.write(lines)
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main()
