"""Run the measurements; see tests/bench/run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.bench import measures
from tests.bench.stack import BUILD, HostStack, ImageStack


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--host", action="store_true", help="measure the stack of the virtual environment")
    where.add_argument("--image", action="store_true", help="measure the built root file system")
    parser.add_argument("--only", default="", help="names of measurements, separated by commas")
    parser.add_argument("--json", type=Path, default=BUILD / "bench.json", help="where to write the figures")
    arguments = parser.parse_args()
    built = (BUILD / "stages" / "root").is_dir()
    stack = (ImageStack if arguments.image or (built and not arguments.host) else HostStack)()
    only = set(arguments.only.split(",")) - {""}

    print(f"Measuring: {stack.name}\n\n{'what':<58}{'measured':>12}{'goal':>10}  unit")
    rows = []
    try:
        for row in measures.run(stack, only):
            rows.append(row)
            goal = "" if row.goal is None else f"{row.goal:g}"
            verdict = "" if row.goal is None else ("" if row.met else "  MISSED")
            print(f"{row.what:<58}{row.value:>12.3g}{goal:>10}  {row.unit}{verdict}", flush=True)
    finally:
        stack.remove()
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps({"stack": stack.name, "rows": [row.as_dict() for row in rows]}, indent=1))
    print(f"\nWritten to {arguments.json}")


if __name__ == "__main__":
    main()
