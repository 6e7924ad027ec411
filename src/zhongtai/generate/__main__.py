"""`python -m zhongtai.generate`: the generator without the rest of the product."""

import argparse
import json
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path

from zhongtai.errors import ZhongtaiError
from zhongtai.generate.exports import DEFAULT_DIRT, generate


def main() -> int:
    """Generate by command line arguments; print the summary as JSON."""
    parser = argparse.ArgumentParser(prog="python -m zhongtai.generate")
    parser.add_argument("--people", type=int, required=True)
    parser.add_argument("--days", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=date.fromisoformat)
    parser.add_argument("--waves", type=int, default=1)
    parser.add_argument("--dirt", type=float, default=DEFAULT_DIRT)
    options = vars(parser.parse_args())
    try:
        summary = generate(options.pop("out"), **options)
    except ZhongtaiError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(asdict(summary), default=str, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
