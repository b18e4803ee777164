"""A command's result as text, for a person at a terminal."""

from __future__ import annotations

from typing import Any


def result_text(document: dict[str, Any]) -> str:
    lines = _check_lines(document) if "ready" in document else []
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
    by_reason: dict[str, list[str]] = {}
    for name, reason in sorted(document.get("not_exported", {}).items()):
        by_reason.setdefault(reason, []).append(name)
    lines += ["not exported: {} ({})".format(", ".join(names), reason) for reason, names in sorted(by_reason.items())]
    lines += document.get("without_parent", [])
    lines += document.get("changed_values", [])
    lines += document.get("changed_for_hop", [])
    if document.get("given_dag_version"):
        lines.append("{given_dag_version} task instances got the target's own version of their DAG".format(**document))
    lines += ["{} refused: {reason}".format(_rows(rows), **rows) for rows in document.get("refused", [])]
    lines += ["{} set aside: {reason}".format(_rows(rows), **rows) for rows in document.get("set_aside", [])]
    lines += [
        "{} would fail an upgrade to Airflow 3: {reason}".format(_rows(rows), **rows)
        for rows in document.get("refused_by_airflow_3", [])
    ]
    lines += ["{} will be changed: {reason}".format(_rows(rows), **rows) for rows in document.get("will_change", [])]
    lines += document.get("not_examined", [])
    if document.get("columns_left_out"):
        lines.append("columns left out: {}".format(", ".join(document["columns_left_out"])))
    if document.get("indexes_left_out"):
        lines.append("indexes left out: {}".format(", ".join(document["indexes_left_out"])))
    if document.get("constraints_left_out"):
        lines.append("constraints left out: {}".format(", ".join(document["constraints_left_out"])))
    if document.get("already_imported"):
        lines.append("This artifact was imported before; nothing was changed.")
    if document.get("artifact"):
        lines.append(document["artifact"])
    lines.append("done in {:.1f} s".format(document["seconds"]))
    return "\n".join(lines) + "\n"


def _rows(entry: dict[str, Any]) -> str:
    return "{rows} {} of {table}".format("row" if entry["rows"] == 1 else "rows", **entry)


def _check_lines(document: dict[str, Any]) -> list[str]:
    """What a check says before it says it of each table."""
    unfinished, estimate = document["unfinished"], document["estimate"]
    lines = [
        "{source}, schema {schema}: Airflow {airflow_version}, revision {revision}".format(**document),
        "unfinished: {dag_runs} runs, {task_instances} task instances".format(**unfinished),
        "to expect: {export_seconds} s of export, {import_seconds} s of import, {verify_seconds} s of verify, and "
        "{disk:.1f} GB of the target's disk meanwhile".format(disk=estimate["disk_bytes"] / 1e9, **estimate),
    ]
    lines += [f"not decrypted by this Airflow's Fernet key: {name}" for name in document["undecryptable"]]
    return lines
