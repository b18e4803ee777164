"""Traces as `airflow dags list-import-errors` of 2.11 and 3.2 tells them: what of them is said to the user."""

from __future__ import annotations

import pytest

from migration.checks import import_errors

FOLDER = "/usr/local/airflow/dags"
NAMES = {"orders.py", "team/reports.py", "common/tools.py", "utils.py", ".airflowignore"}


def trace(*frames: tuple[str, int], said: str) -> str:
    lines = [f'  File "{file}", line {line}, in <module>\n    import x\n    ^^^^^^^^\n' for file, line in frames]
    return f"Traceback (most recent call last):\n{''.join(lines)}{said}\n"


GONE = "ModuleNotFoundError: No module named 'airflow.operators.python_operator'"


@pytest.mark.parametrize(
    ("filepath", "version"), [(f"{FOLDER}/team/reports.py", "2.11.2"), ("team/reports.py", "3.2.1")]
)
def test_file_line_and_exception(filepath: str, version: str) -> None:
    text = trace((f"{FOLDER}/team/reports.py", 7), said=GONE)
    (found,) = import_errors.read([{"filepath": filepath, "error": text}], NAMES, version)
    assert (found.file, found.place, found.line) == ("team/reports.py", "team/reports.py", 7)
    assert found.message == GONE
    assert found.trace == text.strip()
    assert f"Airflow {version} has no module airflow.operators.python_operator" in found.remedy


@pytest.mark.parametrize("folder", [FOLDER, "/tmp/environments/x/dags"])
def test_the_place_is_the_file_to_repair(folder: str) -> None:
    """Not the DAG file where a module of the folder's is at fault, and never one of an installed package."""
    text = trace(
        (f"{folder}/orders.py", 2),
        (f"{folder}/common/tools.py", 12),
        ("/usr/lib/python3.12/site-packages/pandas/utils.py", 99),
        said="ImportError: cannot import name 'x' from 'pandas' (/usr/lib)",
    )
    (found,) = import_errors.read([{"filepath": f"{folder}/orders.py", "error": text}], NAMES, "2.11.2")
    assert (found.file, found.place, found.line) == ("orders.py", "common/tools.py", 12)
    assert found.message.endswith("(imported by orders.py)")
    assert "another version here" in found.remedy


def test_a_trace_without_a_frame_of_ours_has_no_line() -> None:
    text = trace(("/usr/lib/python3.12/site-packages/airflow/models/dag.py", 5), said="ValueError: no")
    (found,) = import_errors.read([{"filepath": "orders.py", "error": text}], NAMES, "3.2.1")
    assert (found.place, found.line, found.message) == ("orders.py", None, "ValueError: no")


def test_a_syntax_error_is_where_python_stopped() -> None:
    text = (
        'Traceback (most recent call last):\n  File "<frozen importlib._bootstrap_external>", line 1133, in get_code\n'
        f'  File "{FOLDER}/orders.py", line 3\n    def f(:\n          ^\nSyntaxError: invalid syntax\n'
    )
    (found,) = import_errors.read([{"filepath": f"{FOLDER}/orders.py", "error": text}], NAMES, "3.2.1")
    assert (found.line, found.message) == (3, "SyntaxError: invalid syntax")
    assert "Python of Airflow 3.2.1" in found.remedy


@pytest.mark.parametrize(
    ("text", "exception"),
    [
        (trace(("/a.py", 1), said="airflow.exceptions.AirflowException: one\ntwo: three\n  four"), "AirflowException"),
        ("AirflowDagCycleException: Cycle detected in DAG: a", "AirflowDagCycleException"),
        ("KeyError: 'x'", "KeyError"),
        (trace(("/a.py", 1), said="KeyboardInterrupt"), "KeyboardInterrupt"),
        ("Ignoring DAG a from b since it was already found", ""),
        ("", ""),
    ],
)
def test_exception_of(text: str, exception: str) -> None:
    assert import_errors.exception_of(text)[0] == exception


def test_a_message_of_several_lines_is_kept() -> None:
    text = trace(("/a.py", 1), said="airflow.exceptions.AirflowException: one\ntwo: three")
    assert import_errors.exception_of(text) == ("AirflowException", "one\ntwo: three")


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("ModuleNotFoundError", "No module named 'airflow.contrib.hooks.ssh'", "airflow.providers.<name>"),
        ("ModuleNotFoundError", "No module named 'airflow.sensors.base'", "apache-airflow-providers-standard"),
        (
            "ModuleNotFoundError",
            "No module named 'airflow.providers.cncf.kubernetes.operators.pod'",
            "apache-airflow-providers-cncf-kubernetes",
        ),
        ("ModuleNotFoundError", "No module named 'common.nothing'", "common lies in the DAG folder"),
        ("ModuleNotFoundError", "No module named 'polars.x'", "has the module polars to requirements.txt"),
        ("ImportError", "cannot import name 'days_ago' from 'airflow.utils.dates' (x)", "no days_ago in"),
        ("TypeError", "DAG.__init__() got an unexpected keyword argument 'schedule_interval'", "Use schedule."),
        ("TypeError", "f() got an unexpected keyword argument 'colour'", "colour is no argument"),
        (
            "AirflowException",
            "Invalid arguments were passed to X. Invalid arguments were:\n**kwargs: {'provide_context': 1}",
            "provide_context is no argument",
        ),
        ("AirflowTaskTimeout", "DagBag import timeout for a after 30.0s", "core.dagbag_import_timeout"),
        ("AirflowDagDuplicatedIdException", "Ignoring DAG a", "give one of them another"),
        ("AirflowNotFoundException", "The conn_id `x` isn't defined", "inside a task"),
        ("ZeroDivisionError", "division by zero", "Correct the file for Airflow 3.2.1"),
    ],
)
def test_remedy(kind: str, text: str, says: str) -> None:
    assert says in import_errors.remedy(kind, text, NAMES, "3.2.1")


@pytest.mark.parametrize("error", ["", "\n", "x" * 10**6, "\x00\ud800", '  File "', "<script>alert(1)</script>"])
def test_any_text_is_a_message(error: str) -> None:
    (found,) = import_errors.read([{"filepath": None, "error": error}], NAMES, "3.2.1")
    assert len(found.message) <= 500
    assert len(found.trace) <= 2000
    assert found.remedy


@pytest.mark.parametrize(
    ("said", "lacks"),
    [
        # 1.10.12 to 2.11, and models.Variable of 3.x.
        ("KeyError: 'Variable my region does not exist'", ("variables", "my region")),
        ('KeyError: "Variable it\'s does not exist."', ("variables", "it's")),
        # The Task SDK's, in 3.0 and from 3.1 on.
        ("airflow.sdk.exceptions.AirflowRuntimeError: VARIABLE_NOT_FOUND: {'key': 'region'}", ("variables", "region")),
        (
            "airflow.sdk.exceptions.AirflowRuntimeError: VARIABLE_NOT_FOUND: {'message': 'Variable region not found'}",
            ("variables", "region"),
        ),
        (
            "airflow.sdk.exceptions.AirflowRuntimeError: CONNECTION_NOT_FOUND: {'conn_id': 'lake'}",
            ("connections", "lake"),
        ),
        ("airflow.exceptions.AirflowNotFoundException: The conn_id `lake` isn't defined", ("connections", "lake")),
        # 1.10.12's.
        ("airflow.exceptions.AirflowException: The conn_id `lake` isn't defined", ("connections", "lake")),
        ("KeyError: 'region'", None),
        ("ValueError: Variable region does not exist", None),
    ],
)
def test_what_a_file_asks_for_in_vain(said: str, lacks: tuple[str, str] | None) -> None:
    trace = f'Traceback\n  File "/usr/local/airflow/dags/orders.py", line 7, in <module>\n    x = get()\n{said}\n'
    (found,) = import_errors.read([{"filepath": "orders.py", "error": trace}], ["orders.py"], "3.2.1")
    assert found.lacks == lacks
    assert ("ask for it inside a task" in found.remedy) == (lacks is not None)
