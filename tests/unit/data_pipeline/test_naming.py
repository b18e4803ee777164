"""Names made of what people call their objects, and statements of scripts."""

from __future__ import annotations

import pytest

from data_pipeline import sql_statements
from data_pipeline.naming import Names, identifier


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Load 1", "load_1"),
        ("LoadTable", "load_table"),
        ("RDStoS3Pipeline", "rds_to_s3_pipeline"),
        ("DynamoDBtoCSV", "dynamodb_to_csv"),
        ("storeIt", "store_it"),
        ("DynamoDBTable", "dynamodb_table"),
        ("EMRCluster", "emr_cluster"),
        ("Übersicht (täglich)", "ubersicht_taglich"),
        ("class", "class_"),
        ("match", "match_"),
        ("01-export", "task_01_export"),
        ("日本", "task"),
        ("  __a--b__ ", "a_b"),
        ("x" * 300, "x" * 100),
    ],
)
def test_an_identifier(text: str, expected: str) -> None:
    assert identifier(text) == expected


def test_two_objects_whose_names_become_one() -> None:
    names = Names({"dag"})
    assert [names.unique("load", "one"), names.unique("load", "two"), names.unique("load", "two")] == [
        "load",
        "load_two",
        "load_2",
    ]
    assert names.unique("dag") == "dag_2"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("select 1", ["select 1"]),
        ("select 1;\n\nselect 2;", ["select 1", "select 2"]),
        ("insert into t values ('a;b', 'it''s'); -- the; end\n", ["insert into t values ('a;b', 'it''s')"]),
        ('select "a;b" /* ; */; select $$;$$', ['select "a;b" /* ; */', "select $$;$$"]),
        ("select {{ x['a;b'] }}", ["select {{ x['a;b'] }}"]),
        (" ; ;", []),
    ],
)
def test_the_statements_of_a_script(script: str, expected: list[str]) -> None:
    assert sql_statements.split(script) == expected
