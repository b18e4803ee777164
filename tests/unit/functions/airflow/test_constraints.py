from __future__ import annotations

import pytest

from migration.airflow import pip_requirements
from migration.airflow.constraints import fitted

BASE = "https://raw.githubusercontent.com/apache/airflow/"
LINE = f'--constraint "{BASE}constraints-2.11.2/constraints-3.12.txt"'


@pytest.mark.parametrize(
    "line",
    [
        f'--constraint "{BASE}constraints-2.10.3/constraints-3.11.txt"',
        f"--constraint '{BASE}constraints-2.10.3/constraints-3.11.txt'",
        f"--constraint {BASE}constraints-2.5.1/constraints-3.10.txt",
        f"--constraint={BASE}constraints-2.5.1/constraints-3.10.txt",
        f"-c {BASE}constraints-2.0.2/constraints-3.7.txt  # Airflow's",
        f"  -c {BASE}constraints-1.10.12/constraints-3.7.txt",
    ],
)
def test_airflows_own_constraints_are_set_to_the_version(line: str) -> None:
    text, notes = fitted(f"{line}\npandas\n", "2.11.2")
    assert text == f"{LINE}\npandas\n"
    assert notes == ["The constraint line was set to Airflow 2.11.2."]


def test_a_mirror_and_a_kind_stay() -> None:
    line = "-c https://mirror.example/airflow/constraints-2.8.1/constraints-no-providers-3.11.txt"
    text, _ = fitted(line, "3.2.1")
    assert text == '--constraint "https://mirror.example/airflow/constraints-3.2.1/constraints-no-providers-3.12.txt"\n'


def test_a_constraint_file_of_the_users_stays_and_is_named() -> None:
    text, (note,) = fitted("-c /usr/local/airflow/dags/mine.txt\n", "2.11.2")
    assert text == "-c /usr/local/airflow/dags/mine.txt\n"
    assert "/usr/local/airflow/dags/mine.txt" in note


@pytest.mark.parametrize("text", ["", "pandas==2.0\n", "# constraints: none\npandas==2.0\n", "pandas-constraint\n"])
def test_a_line_is_added_where_there_is_none(text: str) -> None:
    assert fitted(text, "2.11.2")[0] == f"{LINE}\n{text}"


def test_fitting_twice_changes_nothing() -> None:
    once = fitted("pandas\r\nrequests\r\n", "2.11.2")[0]
    assert fitted(once, "2.11.2")[0] == once


def left(text: str, version: str = "2.11.2") -> str:
    """The notes on a file that must stay as it is."""
    result, notes = fitted(text, version)
    assert result == text
    return "\n".join(notes)


@pytest.mark.parametrize("comment", ["#--constraint /dags/mine.txt", "# -c nothing", "  # see --constraint below"])
def test_a_constraint_in_a_comment_is_the_users_decision(comment: str) -> None:
    assert "tells Amazon MWAA not to add one" in left(f"{comment}\npydantic==1.10.4\n")


def test_an_installation_without_an_index_gets_no_url() -> None:
    told = left("--find-links /usr/local/airflow/plugins\n--no-index\n\nnumpy\npandas==2.1.4\n")
    assert "no constraint line for Airflow 2.11.2 was added" in told
    assert "Python 3.12: any wheels" in told


@pytest.mark.parametrize(
    "lines",
    [
        f'--constraint \\\n  "{BASE}constraints-2.9.2/constraints-3.11.txt"',
        f"-c{BASE}constraints-2.9.2/constraints-3.11.txt",
        f"--constraint   {BASE}constraints-2.9.2/constraints-3.11.txt # ours",
        f"-c {BASE}constraints-2-9/constraints-3.11.txt",
        f"-c {BASE}constraints-main/constraints-3.11.txt",
        f"-c {BASE}constraints-latest/constraints-3.11.txt",
    ],
)
def test_airflows_own_constraints_however_they_are_written(lines: str) -> None:
    assert fitted(f"# before\n{lines}\nboto3\n", "2.11.2")[0] == f"# before\n{LINE}\nboto3\n"


def test_a_branch_becomes_the_tag_of_the_version() -> None:
    text, _ = fitted(f"-c {BASE}refs/heads/constraints-2-10/constraints-3.11.txt\n", "2.11.2")
    assert text == LINE.replace("constraints-2.11.2", "refs/tags/constraints-2.11.2") + "\n"


def test_each_of_two_constraint_lines_is_looked_at() -> None:
    text, notes = fitted(
        f"-c {BASE}constraints-2.9.2/constraints-3.11.txt\n-c dags/mine.txt\n"
        f"-c {BASE}constraints-2.8.1/constraints-no-providers-3.11.txt\n",
        "2.11.2",
    )
    assert text.splitlines() == [LINE, "-c dags/mine.txt", LINE.replace("constraints-3", "constraints-no-providers-3")]
    assert notes == [
        "The constraint line was set to Airflow 2.11.2.",
        "The constraint file dags/mine.txt is not Airflow's own and was left as it is.",
    ]


def test_options_beside_a_constraint_stay() -> None:
    text, _ = fitted(f"--pre -c {BASE}constraints-2.9.2/constraints-3.11.txt --prefer-binary\n", "2.11.2")
    assert text == f"--pre -c {BASE}constraints-2.11.2/constraints-3.12.txt --prefer-binary\n"


def test_a_constraint_of_environment_variables_stays_and_is_named() -> None:
    told = left(f'--constraint "{BASE}constraints-${{AIRFLOW_VERSION}}/constraints-${{PYTHON}}.txt"\n')
    assert "named by environment variables" in told
    assert "Airflow 2.11.2 on Python 3.12" in told


@pytest.mark.parametrize("form", ["-cdags/mine.txt", "--constraint=dags/mine.txt"])
def test_a_form_that_amazon_mwaa_does_not_recognise_is_named(form: str) -> None:
    assert "adds its own constraints to them" in left(f"{form}\npandas\n")


@pytest.mark.parametrize(
    "line",
    [
        "-c https://reader:PLANTED@example.org/c.txt",
        "--constraint https://bucket.example.org/c.txt?X-Amz-Signature=PLANTED",
        "--index-url https://reader:PLANTED@example.org/simple",
    ],
)
def test_no_note_has_credentials(line: str) -> None:
    text, notes = fitted(f"{line}\nmine==1\n", "2.11.2")
    assert line in text
    assert not any("PLANTED" in note for note in notes)


def test_what_depends_on_the_python_or_the_constraints_is_named() -> None:
    _, notes = fitted(
        f"{LINE.replace('2.11.2', '2.9.2').replace('3.12', '3.11')}\n"
        "apache-airflow[amazon]==2.9.2\n"
        "boto3==1.34.106 \\\n    --hash=sha256:00\n    # via -r requirements.in\n"
        'importlib-metadata==6.11.0 ; python_version < "3.12"\n'
        "git+https://github.com/example/dags-common.git@v1.4.2#egg=dags-common\n"
        "-r dags/more.txt\n"
        "a @ https://files.example.org/a-1.0-py3-none-any.whl\n"
        "b @ https://files.example.org/b-1.0-cp38-abi3-linux_x86_64.whl\n"
        "/usr/local/airflow/plugins/c-1.0-cp311-cp311-linux_x86_64.whl\n",
        "2.11.2",
    )
    assert notes[1:] == [
        "Files that it includes with -r were not read; see that their constraints fit as well.",
        "It pins apache-airflow to another version than 2.11.2. pip then installs nothing at all: take the pin out.",
        "It pins boto3, importlib-metadata. Where the constraints of Airflow 2.11.2 have another version of a package, "
        "pip installs nothing at all; a rehearsal finds out.",
        "Its hashes must be those of files for Python 3.12.",
        "c-1.0-cp311-cp311-linux_x86_64.whl is not for Python 3.12, which Airflow 2.11.2 runs on.",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
def test_a_file_is_decoded_as_amazon_mwaa_does(encoding: str) -> None:
    text = "pandas  # caf\xe9\r\n"
    assert pip_requirements.decoded(text.encode(encoding))[0] == text


@pytest.mark.parametrize("first", ["", "# what we need\n"])
def test_a_file_may_declare_its_encoding(first: str) -> None:
    text = f"{first}# -*- coding: iso-8859-15 -*-\npandas  # \u20ac\n"
    assert pip_requirements.decoded(text.encode("iso-8859-15")) == (text, "iso-8859-15")
    # What is written is UTF-8, and read as that whatever the comment says and wherever it stands.
    written = pip_requirements.encoded(fitted(text, "2.11.2")[0])
    assert pip_requirements.decoded(written) == (f"{LINE}\n{text}", "utf-8")


def test_a_byte_order_mark_hides_no_constraint() -> None:
    content = f'\ufeff--constraint "{BASE}constraints-2.8.1/constraints-3.11.txt"\r\nboto3\r\n'.encode()
    assert fitted(pip_requirements.decoded(content)[0], "2.11.2")[0] == f"{LINE}\nboto3\n"
