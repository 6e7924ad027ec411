"""A process that has imported everything once and forks a child for every trial.

A fresh interpreter costs seconds of imports; a fork of this one costs milliseconds, holds no thread
and no connection, and dies of a real SIGKILL like any other process.

Requests come as lines of JSON on standard input: {"call": "module:function", "arguments": {…},
"environment": {…}, "answer": file}. Each is answered with the pid of the child and, when it has
ended, with its status as `os.waitpid` gives it.
"""

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

PRELOADED = (
    "duckdb", "psycopg", "pyarrow.csv", "pyarrow.parquet", "pyarrow.compute", "numpy",
    "zhongtai.pipeline", "zhongtai.ingest", "zhongtai.readers", "zhongtai.publish",
    "zhongtai.erasure.erasures", "zhongtai.quarantine", "zhongtai.identity",
    "zhongtai.tags.bitmaps",
)  # fmt: skip


def serve(modules: tuple[str, ...]) -> None:
    """Answer requests until standard input ends."""
    for name in modules:
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _answer(request)
        print(child, flush=True)  # noqa: T201  # the protocol
        print(os.waitpid(child, 0)[1], flush=True)  # noqa: T201


def _answer(request: dict[str, Any]) -> None:
    """Call the function in the child and end it."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    os.environ.update(request["environment"])
    file, code = Path(request["answer"]), 0
    try:
        module, _, name = request["call"].partition(":")
        found = getattr(importlib.import_module(module), name)(**request["arguments"])
        file.write_text(json.dumps({"returned": found}, default=str), "utf-8")
    except BaseException:  # a child must never go on in the loop of its parent
        file.write_text(json.dumps({"raised": traceback.format_exc()}), "utf-8")
        code = 1
    os._exit(code)


if __name__ == "__main__":
    serve((*PRELOADED, *sys.argv[1:]))
