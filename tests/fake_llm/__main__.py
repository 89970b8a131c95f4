"""The server from the command line."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from tests import fake_llm
from tests.fake_llm import FakeLLM


def main() -> None:
    """Serve from the command line."""
    parser = argparse.ArgumentParser(description=fake_llm.__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--key", help="refuse requests without this API key")
    parser.add_argument("--answers", type=Path, help="JSON object: part of the question -> reply")
    parser.add_argument("--no-record", action="store_true", help="keep no requests (for benchmarks)")
    args = parser.parse_args()
    answers = json.loads(args.answers.read_text("utf-8")) if args.answers else None
    server = FakeLLM(args.port, key=args.key, answers=answers, record=not args.no_record, host=args.host)
    print(f"listening on {server.base_url}", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        server.close()


if __name__ == "__main__":
    main()
