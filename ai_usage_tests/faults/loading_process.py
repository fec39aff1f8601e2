"""Loads in processes of their own, to be killed. This one imports everything once and forks one for each line `FIRST LAST STATEMENT`.

With a STATEMENT other than 0 the load kills itself (SIGKILL) right before it sends its that-many-th statement to the warehouse file,
COMMIT included.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import date
from typing import Any

import duckdb

from ai_usage.runtime import Runtime
from ai_usage.warehouse import duckdb_file as engine
from ai_usage.warehouse import duckdb_sql
from ai_usage_tests.fixtures.company import build, load_raw


class _Counting:
    """A connection that counts, and dies when the count is reached. What each opening of the file begins with does not count: how often a hold ends
    and the file is opened again is the machine's."""

    sent = 0
    deadly = 0

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con

    def execute(self, *args: Any) -> Any:
        counts = args[0] != engine._SESSION
        type(self).sent += counts
        if counts and type(self).sent == type(self).deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._con.execute(*args)

    def cursor(self) -> _Counting:
        """The warehouse asks through cursors of the one connection that it holds."""
        return _Counting(self._con.cursor())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)


class _Engine:
    def __getattr__(self, name: str) -> Any:
        return getattr(duckdb, name)

    def connect(self, *args: Any, **kwargs: Any) -> _Counting:
        return _Counting(duckdb.connect(*args, **kwargs))


def load(first: str, last: str, deadly: int) -> None:
    _Counting.deadly = deadly
    runtime = Runtime()
    load_raw(runtime, date.fromisoformat(first), date.fromisoformat(last))
    build(runtime, date.fromisoformat(first), date.fromisoformat(last))
    print(f"sent {_Counting.sent}", flush=True)


def count_statements() -> None:
    """But for the questions which tables are empty: they are asked once for each opening of the file, too."""
    engine.duckdb = _Engine()  # type: ignore[assignment]
    asked = duckdb_sql.empty_tables
    duckdb_sql.empty_tables = lambda con: asked(con._con)  # type: ignore[attr-defined]


def main() -> None:
    count_statements()
    print("ready", flush=True)
    while line := sys.stdin.readline():
        first, last, deadly = line.split()
        child = os.fork()
        if child == 0:
            load(first, last, int(deadly))
            os._exit(0)
        print(f"begun {child}", flush=True)
        sys.stdin.readline()  # until then nobody waits for it, so that its id stays its own
        print(f"ended {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}", flush=True)


if __name__ == "__main__":
    main()
