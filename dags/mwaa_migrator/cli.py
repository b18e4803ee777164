"""``python -m mwaa_migrator``: the engine's command line, for wherever an Airflow can reach its metadata database.

Standard output is the result; progress and Airflow's own messages go to standard error. Exit codes: 0 done; 2 the
arguments are wrong; 3 refused, nothing was written; 4 failed, the target is as it was.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from typing import Any, Callable, Mapping, Sequence

from mwaa_migrator.errors import InvalidArguments, MigratorError, Refused, SourceChanged
from mwaa_migrator.options import (
    CHECK_OPTIONS,
    EXPORT_OPTIONS,
    HOP_OPTIONS,
    IMPORT_OPTIONS,
    SWITCH,
    VERIFY_OPTIONS,
    Option,
)
from mwaa_migrator.progress import Progress
from mwaa_migrator.result_text import result_text

DONE = 0
FAILED = 4

_OPTIONS: Mapping[str, Mapping[str, Option]] = {
    "check": CHECK_OPTIONS,
    "export": EXPORT_OPTIONS,
    "import": IMPORT_OPTIONS,
    "verify": VERIFY_OPTIONS,
    "prepare-hop": HOP_OPTIONS,
    "inspect": {},
    "compare-source": VERIFY_OPTIONS,
    "agent": {},
}

#: Options of an export that a delta takes from its base.
_CHOICES = [name for name, option in EXPORT_OPTIONS.items() if option.flag not in (None, "--jobs")]


def new_artifact_id() -> str:
    """``20260102t030405-1a2b3c``: sorts by time, and fits a schema's name and an S3 key."""
    return "{}-{}".format(time.strftime("%Y%m%dt%H%M%S", time.gmtime()), secrets.token_hex(3))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise InvalidArguments(f"{message}. See {self.prog} --help.")


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="mwaa_migrator", description="Moves the rows of an Airflow metadata database.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    commands.required = True
    check = commands.add_parser("check", help="say what an export and its import will meet; change nothing")
    export = commands.add_parser("export", help="write an artifact from this Airflow's metadata database")
    export.add_argument("--to", required=True, metavar="URL", help="a directory or s3://bucket/prefix")
    export.add_argument("--id", metavar="ID", help="the artifact's id, its folder below URL (default: a new one)")
    summing = export.add_mutually_exclusive_group()
    summing.add_argument("--as-base", action="store_true", help="sum each run, too, so that a delta can follow")
    summing.add_argument("--delta-of", metavar="URL", help="only what has changed since the base or delta at URL")
    import_ = commands.add_parser("import", help="merge an artifact into this Airflow's metadata database")
    verify = commands.add_parser("verify", help="compare this Airflow's metadata database with an artifact, row by row")
    hop = commands.add_parser("prepare-hop", help="mend what an upgrade of this Airflow to Airflow 3 would fail on")
    version = _reader(IMPORT_OPTIONS["hopVersion"])
    hop.add_argument("--to-version", required=True, type=version, metavar="V", help="the Airflow 3 of that upgrade")
    inspect = commands.add_parser("inspect", help="describe an artifact")
    compare = commands.add_parser("compare-source", help="name the runs that have changed since a base or delta")
    for command in (import_, verify, inspect, compare):
        command.add_argument(
            "--from", dest="from_", required=True, metavar="URL", help="the artifact's folder, or the one above it"
        )
        command.add_argument("--id", metavar="ID", help="which artifact, if URL holds several")
    agent = commands.add_parser("agent", help="do what a migration asks for in S3, until it is ended")
    agent.add_argument("--exchange", required=True, metavar="URL", help="s3://bucket/prefix, which has the requests")
    agent.add_argument("--migration", required=True, metavar="ID", help="whose requests: the folder below URL")
    agent.add_argument("--check", action="store_true", help="only say all that is missing")
    by_name = {
        "agent": agent,
        "check": check,
        "export": export,
        "import": import_,
        "verify": verify,
        "prepare-hop": hop,
        "inspect": inspect,
        "compare-source": compare,
    }
    for name, command in by_name.items():
        for option_name, option in _OPTIONS[name].items():
            _add_option(command, option_name, option)
        command.add_argument("--json", action="store_true", help="the result as one line of JSON; progress as JSON too")
    return parser


def _add_option(command: argparse.ArgumentParser, name: str, option: Option) -> None:
    if option.flag is None:
        command.set_defaults(**{name: option.default})
    elif option.values is SWITCH:
        command.add_argument(option.flag, dest=name, action="store_true", default=option.default, help=option.help)
    else:
        command.add_argument(
            option.flag,
            dest=name,
            type=_reader(option),
            choices=option.values.choices,
            default=option.default,
            metavar=option.metavar,
            help=option.help,
        )


def _reader(option: Option) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = option.values.parse(text)
        if option.values.choices is None and not option.values.accept(value):
            raise argparse.ArgumentTypeError(f"'{text}' is not {option.values.words}")
        return value

    return read


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The command's result, as it is printed with --json."""
    # These import psycopg2 or boto3, and --help must not wait for them.
    from mwaa_migrator.artifact.artifact import find_artifact, read_artifact, summary
    from mwaa_migrator.artifact.manifest import check_id
    from mwaa_migrator.progress import on_terminal
    from mwaa_migrator.this_airflow.database_kind import require_postgresql

    progress = on_terminal(arguments.json)
    options = {name: getattr(arguments, name) for name in _OPTIONS[arguments.command]}
    if arguments.command == "agent":
        try:
            import psycopg2  # noqa: F401
        except ImportError:
            # With it, the agent's own check names the database among whatever else is missing.
            require_postgresql("an agent")
        from mwaa_migrator.agent.command import run_agent

        return run_agent(arguments.exchange, arguments.migration, arguments.check, progress)
    if arguments.command == "check":
        return _check(options, progress)
    if arguments.command == "export":
        return _export(arguments, options, progress)
    if arguments.command == "prepare-hop":
        require_postgresql("an upgrade to Airflow 3")
        from mwaa_migrator.merge.prepare_hop import prepare_hop

        return prepare_hop(arguments.to_version, options["pickledXComs"], progress)
    storage = find_artifact(arguments.from_, arguments.id and check_id(arguments.id))
    if arguments.command in ("import", "verify"):
        require_postgresql("an import")
    if arguments.command == "import":
        from mwaa_migrator.merge.import_artifact import import_artifact, import_options

        return import_artifact(storage, import_options(options), progress)
    if arguments.command == "verify":
        from mwaa_migrator.options import default_processes
        from mwaa_migrator.verify.verify_import import verify_import

        return verify_import(storage, options["jobs"] or default_processes(), progress)
    artifact = read_artifact(storage)
    if arguments.command == "compare-source":
        require_postgresql("a base or a delta")
        from mwaa_migrator.export.compare_source import compare_source
        from mwaa_migrator.options import default_processes

        return compare_source(artifact, options["jobs"] or default_processes(), progress)
    missing = artifact.missing_parts()
    return dict(summary(artifact), missing_parts=missing, whole=not missing)


def _check(options: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    from mwaa_migrator.export.export_options import export_options
    from mwaa_migrator.this_airflow.database_kind import is_other_database

    chosen = export_options({"xcoms": True, "jobs": None, **options})
    if is_other_database():
        from mwaa_migrator.other_databases.check_source import check_source as check_other_source

        return check_other_source(chosen, progress)
    from mwaa_migrator.export.source_check import check_source

    return check_source(chosen, progress)


def _export(arguments: argparse.Namespace, options: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    from mwaa_migrator.artifact.artifact import find_artifact, read_artifact, summary
    from mwaa_migrator.artifact.location import open_storage
    from mwaa_migrator.artifact.manifest import check_id
    from mwaa_migrator.export.export_options import export_options
    from mwaa_migrator.options import default_processes
    from mwaa_migrator.this_airflow.database_kind import is_other_database, require_postgresql

    artifact_id = check_id(arguments.id or new_artifact_id())
    storage = open_storage(arguments.to).child(artifact_id)
    chosen = export_options(options)
    if is_other_database():
        from mwaa_migrator.other_databases.export_source import export_source

        if arguments.as_base or arguments.delta_of is not None:
            require_postgresql("a base or a delta")
        return dict(summary(export_source(storage, artifact_id, chosen, progress)), phases=progress.phases)
    from mwaa_migrator.export.export_artifact import export
    from mwaa_migrator.export.summing import Summing, options_of_delta

    summing = Summing() if arguments.as_base else None
    if arguments.delta_of is not None:
        _require_no_choices(options)
        base = read_artifact(find_artifact(arguments.delta_of))
        chosen, summing = options_of_delta(base, options["jobs"] or default_processes()), Summing(base)
    return dict(summary(export(storage, artifact_id, chosen, progress, summing)), phases=progress.phases)


def _require_no_choices(options: Mapping[str, Any]) -> None:
    given = [str(EXPORT_OPTIONS[name].flag) for name in _CHOICES if options[name] != EXPORT_OPTIONS[name].default]
    if given:
        message = "A delta takes the tables and rows that its base took. Leave out {}, or take a new base."
        raise InvalidArguments(message.format(", ".join(given)))


def _judge(result: Mapping[str, Any]) -> tuple[int, dict[str, str] | None]:
    """The exit code, and the error of a command that did its work and found something wrong."""
    if result.get("verified") is False:
        differing = [name for name, table in result["tables"].items() if not table["match"]]
        message = (
            "These tables are not what the artifact holds: {}. The result names rows of each; find out who changed "
            "them, or import into a new database."
        )
        return FAILED, {"name": "ContentDiffers", "message": message.format(", ".join(differing))}
    if result.get("unchanged") is False:
        from mwaa_migrator.export.compare_source import require_unchanged

        try:
            require_unchanged(result)
        except SourceChanged as changed:
            return FAILED, {"name": changed.name, "message": str(changed)}
    problems = result.get("problems")
    if problems:
        messages = [problems[0]["message"], *("{name}: {message}".format(**problem) for problem in problems[1:])]
        return Refused.exit_code, {"name": problems[0]["name"], "message": " ".join(messages)}
    return DONE, None


def main(argv: Sequence[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    as_json = "--json" in argv
    output = sys.stdout
    begun = time.monotonic()
    command = argv[0] if argv else ""
    try:
        arguments = build_parser().parse_args(argv)
        # Airflow's warnings and its log go where progress goes: the last line of standard output is the result.
        sys.stdout = sys.stderr
        result = run(arguments)
        code, error = _judge(result)
        document = dict(result, command=command, status="failed" if error else "done", error=error)
        if error:
            sys.stderr.write("{name}: {message}\n".format(**error))
    except MigratorError as failure:
        code = failure.exit_code
        document = {"command": command, "status": "failed", "error": {"name": failure.name, "message": str(failure)}}
        sys.stderr.write(f"{failure.name}: {failure}\n")
    finally:
        sys.stdout = output
    document["seconds"] = round(time.monotonic() - begun, 3)
    if as_json:
        sys.stdout.write(json.dumps(document, sort_keys=True, default=str) + "\n")
    elif code == DONE or "ready" in document:
        sys.stdout.write(result_text(document))
    return code
