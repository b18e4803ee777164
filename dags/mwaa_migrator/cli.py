"""``python -m mwaa_migrator``: the engine's command line, for wherever an Airflow can reach its metadata database.

Standard output is the result; progress and Airflow's own messages go to standard error. Exit codes: 0 done, 2 the
arguments are wrong, 3 refused and nothing written, 4 failed and the target as it was.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from typing import Any, Sequence

from mwaa_migrator.errors import InvalidArguments, MigratorError

DONE = 0
WRONG_ARGUMENTS = 2
FAILED = 4

#: What an export may use at most: each process holds a connection of the metadata database.
_MOST_JOBS = 16


def new_migration_id() -> str:
    """``20260102t030405-1a2b3c``: sorts by time, and fits a schema's name and an S3 key."""
    return "{}-{}".format(time.strftime("%Y%m%dt%H%M%S", time.gmtime()), secrets.token_hex(3))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise InvalidArguments(f"{message}. See {self.prog} --help.")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= _MOST_JOBS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to {_MOST_JOBS}")
    return int(text)


def _days(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of days, 1 or more")
    return int(text)


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="mwaa_migrator", description="Moves the rows of an Airflow metadata database.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    commands.required = True

    export = commands.add_parser("export", help="write an artifact from this Airflow's metadata database")
    export.add_argument("--to", required=True, metavar="URL", help="a directory or s3://bucket/prefix")
    export.add_argument("--id", metavar="ID", help="the migration's id, the artifact's folder under URL (default: new)")
    export.add_argument("--days", type=_days, metavar="N", help="history of the last N days only (default: all)")
    export.add_argument("--dags", metavar="REGEX", help="history of DAGs whose whole id matches (default: all)")
    export.add_argument("--tables", type=_names, metavar="A,B", help="these tables only")
    export.add_argument("--exclude-tables", type=_names, default=[], metavar="C", help="all but these tables")
    export.add_argument(
        "--skip-undecryptable", action="store_true", help="leave out variables and connections that no key decrypts"
    )

    import_ = commands.add_parser("import", help="merge an artifact into this Airflow's metadata database")
    import_.add_argument(
        "--on-conflict",
        choices=("keep", "overwrite", "fail"),
        default="keep",
        help="what to do with rows that the target has with other content (default: keep the target's)",
    )
    import_.add_argument(
        "--pause-state",
        choices=("keep", "source", "all-paused"),
        default="keep",
        help="which DAGs are paused afterwards (default: as the target has it)",
    )
    verify = commands.add_parser("verify", help="compare this Airflow's metadata database with an artifact, row by row")
    inspect = commands.add_parser("inspect", help="describe an artifact")
    for command in (import_, verify, inspect):
        command.add_argument(
            "--from", dest="from_", required=True, metavar="URL", help="the artifact's folder, or the one above it"
        )
        command.add_argument("--id", metavar="ID", help="which artifact, where URL holds several")
    for command in (export, import_, verify):
        command.add_argument("--jobs", type=_jobs, metavar="N", help="copying processes (default: 2 to 4, by cores)")
    for command in (export, import_, verify, inspect):
        command.add_argument("--json", action="store_true", help="the result as one line of JSON; progress as JSON too")
    return parser


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The command's result, as it is printed with --json."""
    # Airflow is imported by these, and --help must not wait for it.
    from mwaa_migrator.artifact.manifest import check_id, find_artifact, read_manifest
    from mwaa_migrator.artifact.storage import open_storage
    from mwaa_migrator.copying.workers import default_jobs
    from mwaa_migrator.progress import terminal

    progress = terminal(arguments.json)
    if arguments.command == "export":
        from mwaa_migrator.export.export_artifact import ExportOptions, export, summary

        migration_id = check_id(arguments.id or new_migration_id())
        storage = open_storage(arguments.to).child(migration_id)
        options = ExportOptions(
            arguments.days,
            arguments.dags,
            arguments.tables,
            arguments.exclude_tables,
            arguments.jobs or default_jobs(),
            arguments.skip_undecryptable,
        )
        return dict(summary(storage, export(storage, migration_id, options, progress)), phases=progress.phases)
    storage = find_artifact(arguments.from_, arguments.id and check_id(arguments.id))
    if arguments.command == "import":
        from mwaa_migrator.merge.import_artifact import ImportOptions, import_artifact

        import_options = ImportOptions(arguments.on_conflict, arguments.pause_state, arguments.jobs or default_jobs())
        return import_artifact(storage, import_options, progress)
    if arguments.command == "verify":
        from mwaa_migrator.verify.verify_import import verify_import

        return verify_import(storage, arguments.jobs or default_jobs(), progress)
    return inspect_artifact(storage, read_manifest(storage))


def inspect_artifact(storage: Any, manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest without its parts, and whether each part is there with the bytes that it should have."""
    from mwaa_migrator.export.export_artifact import summary

    missing = [
        part["name"]
        for entry in manifest["tables"].values()
        for part in entry["parts"]
        if storage.size(part["name"]) != part["stored_bytes"]
    ]
    return dict(summary(storage, manifest), missing_parts=missing, whole=not missing)


def main(argv: Sequence[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    as_json = "--json" in argv
    output = sys.stdout
    begun = time.monotonic()
    command = argv[0] if argv else ""
    try:
        arguments = build_parser().parse_args(argv)
        # Airflow's warnings and its log go where progress goes; the last line of standard output is the result.
        sys.stdout = sys.stderr
        result = run(arguments)
        code = DONE
        if result.get("verified") is False:
            code = FAILED
        document = dict(result, command=command, status="done" if code == DONE else "failed", error=None)
        if code != DONE:
            differing = [name for name, table in result["tables"].items() if not table["match"]]
            message = "These tables are not what the artifact holds: {}.".format(", ".join(differing))
            document["error"] = {"name": "ContentDiffers", "message": message}
            sys.stderr.write(f"ContentDiffers: {message}\n")
    except MigratorError as error:
        code = error.exit_code
        document = {"command": command, "status": "failed", "error": {"name": error.name, "message": str(error)}}
        sys.stderr.write(f"{error.name}: {error}\n")
    finally:
        sys.stdout = output
    document["seconds"] = round(time.monotonic() - begun, 3)
    if as_json:
        sys.stdout.write(json.dumps(document, sort_keys=True, default=str) + "\n")
    elif code == DONE:
        sys.stdout.write(_text(document))
    return code


def _text(document: dict[str, Any]) -> str:
    lines = []
    for name, table in sorted(document.get("tables", {}).items()):
        if "merged" in table:
            if table["exported"]:
                lines.append(
                    "{:32} {:>12,} exported {:>12,} merged {:>9,} kept {:>9,} set aside  {}".format(
                        name,
                        table["exported"],
                        table["merged"],
                        table["kept"],
                        table["set_aside"],
                        "equal" if table["match"] else "DIFFERENT",
                    )
                )
        elif table["rows"]:
            lines.append("{:32} {:>12,} rows {:>15,} bytes".format(name, table["rows"], table["bytes"]))
    for name, reason in sorted(document.get("not_exported", {}).items()):
        if reason == "not a table of this Airflow":
            lines.append(f"{name:32} not exported: {reason}")
    if document.get("already_imported"):
        lines.append("This artifact was imported before; nothing was changed.")
    if document.get("artifact"):
        lines.append(document["artifact"])
    lines.append("done in {:.1f} s".format(document["seconds"]))
    return "\n".join(lines) + "\n"
