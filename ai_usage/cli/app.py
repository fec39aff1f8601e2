"""`ai-usage`: the command line.

Belongs here: which commands there are, and how one ends that fails. Each command lies in a file of its subject, and imports what it needs when it
is called: `--help` and a wrong argument load neither Dagster nor DuckDB. Answers go to standard output; progress and errors to standard error.
Every error is one sentence and exit code 1 (2 for a wrong argument).
"""

from __future__ import annotations

import errno
import io
import logging
import signal
import sys
from typing import Annotated, NoReturn

import typer

from ai_usage import __version__, logs
from ai_usage.cli import alerts, ask, care, demo, explain, export, finance, metabase, run, why
from ai_usage.cli.console import err, out
from ai_usage.errors import PlatformError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Who spent what on AI tools, what came of it, and whether the number is right.",
)
for command in (
    run.run, run.upload, run.status, ask.query, ask.report, export.export, finance.close, finance.focus, why.why, explain.explain, care.certify, care.doctor,
    alerts.alerts, care.backup, care.restore, care.upgrade, care.forget, care.copy, demo.demo, demo.simulate, run.dev, ask.templates,
):  # fmt: skip
    app.command()(command)
app.add_typer(metabase.app, name="metabase")
log = logging.getLogger(__name__)
_FILES, _FEWEST_FILES = 1024, 128


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        out.print(__version__)
        raise typer.Exit


def main() -> None:
    """Entry point: every known error is one sentence on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # names and documents are UTF-8, whatever the locale
    if (
        signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    ):  # as a script's background job: Dagster gives SIGTERM what SIGINT has, and nothing would end us
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _check_descriptors()
        app(standalone_mode=True)
    except PlatformError as error:
        _fail(str(error))
    except OSError as error:
        if not error.errno:
            raise
        _fail(_of_the_machine(error))
    except UnicodeEncodeError:
        _fail("a name that is not ASCII cannot be used in this locale; set LC_ALL=C.UTF-8 and run again.")
    except KeyboardInterrupt:
        err.print("interrupted; what was published stands, nothing is half-written.")
        sys.exit(130)


def _fail(sentence: str) -> NoReturn:
    if logs.is_json():
        log.error(sentence)
    else:
        err.print("[red]error[/red]: ", end="", soft_wrap=True)
        err.print(sentence, markup=False, soft_wrap=True, highlight=False)
    sys.exit(1)


def _check_descriptors() -> None:
    """DuckDB ends the whole process where it cannot open one more file. A run has up to 60 open, so the limit is raised as far as the system lets us."""
    if sys.platform == "win32":
        return
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    if wanted < _FEWEST_FILES:
        raise PlatformError(
            f"this process may hold {most} files open and needs {_FEWEST_FILES}; raise the limit with `ulimit -n 1024` and run again."
        )


def _of_the_machine(error: OSError) -> str:
    """What the disk or the machine refused, wherever it did."""
    where = error.filename or "a file of the platform"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where} cannot be written, the disk is full; free space and run again, nothing is half-written."
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{where} cannot be written or read ({error.strerror}); correct its owner or mount, or set AI_USAGE_DATA_DIR to a folder of your own."
    return f"{where}: {error.strerror}; correct that and run again, nothing is half-written."


if __name__ == "__main__":
    main()
