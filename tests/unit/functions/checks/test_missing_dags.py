from __future__ import annotations

import pytest

from migration.checks import airflowignore, missing_dags
from migration.checks.import_errors import BrokenFile

NAMES = {"orders.py", "team/reports.py", "old.zip"}


def missing(dag_id: str, file: str, ignored: str | None = None) -> missing_dags.Missing:
    broken = BrokenFile("orders.py", "common.py", 3, "KeyError: 'x'", "Mend it.", "trace", None)
    known = [{"dag_id": dag_id, "file": file}, {"dag_id": "parsed", "file": "parsed.py"}]
    (found,) = missing_dags.of(known, {"parsed"}, [broken], NAMES, lambda _: ignored)
    return found


@pytest.mark.parametrize(
    ("file", "ignored", "reason"),
    [
        ("orders.py", None, "Its file cannot be imported: KeyError: 'x'"),
        ("gone.py", None, "Its file is not in the target's DAG folder."),
        ("/usr/lib/plugins/made.py", None, "Its file is outside of the DAG folder."),
        ("team/reports.py", "The line 'team' of .airflowignore", "The line 'team' of .airflowignore keeps its file"),
        ("team/reports.py", None, ""),
        ("old.zip/inside.py", None, ""),
        ("new.zip/inside.py", None, "Its file is not in the target's DAG folder."),
    ],
)
def test_each_missing_dag_has_its_reason(file: str, ignored: str | None, reason: str) -> None:
    found = missing("d", file, ignored)
    assert (found.dag_id, found.file) == ("d", file)
    assert found.reason.startswith(reason) if reason else found.reason == ""


@pytest.mark.parametrize(
    ("line", "glob", "file", "ignored"),
    [
        ("reports", False, "team/reports.py", True),
        ("^reports", False, "team/reports.py", False),
        (r"team/.*\.py  # ours", False, "team/reports.py", True),
        ("[", False, "team/reports.py", False),
        ("# reports", False, "team/reports.py", False),
        # The same lines mean something else from 3.0 on.
        ("reports", True, "team/reports.py", False),
        (r"team/.*\.py", True, "team/reports.py", False),
        ("team", True, "team/reports.py", True),
        ("team/", True, "team/reports.py", True),
        ("team/", True, "team", False),
        ("*.py", True, "team/reports.py", True),
        ("/*.py", True, "team/reports.py", False),
        ("**/reports.py", True, "a/b/reports.py", True),
        ("a/**", True, "a/b/reports.py", True),
        ("report?.py", True, "team/reports.py", True),
        ("[!a-q]eports.py", True, "team/reports.py", True),
        ("*.py\n!reports.py", True, "team/reports.py", False),
    ],
)
def test_a_line_of_airflowignore(line: str, glob: bool, file: str, ignored: bool) -> None:
    ignored_by = airflowignore.finder({".airflowignore"}, lambda name: line, glob=glob)
    assert (ignored_by(file) is not None) == ignored


def test_an_airflowignore_holds_for_what_is_below_it_and_is_read_once() -> None:
    read: list[str] = []
    names = {".airflowignore", "team/.airflowignore"}

    def text(name: str) -> str:
        read.append(name)
        return "reports" if name.startswith("team") else "nothing"

    ignored_by = airflowignore.finder(names, text, glob=False)
    assert ignored_by("team/reports.py") == "The line 'reports' of team/.airflowignore"
    assert ignored_by("other/reports.py") is None
    assert ignored_by("team/a.py") is None
    assert read == [".airflowignore", "team/.airflowignore"]
