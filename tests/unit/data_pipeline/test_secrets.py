"""No secret value is left in a definition."""

from __future__ import annotations

from typing import Any

import pytest

from .definitions import SHELL, definition

DATABASE = {"id": "Db", "type": "RdsDatabase", "rdsInstanceId": "i", "username": "u"}


@pytest.mark.parametrize(
    ("database", "parameters", "values"),
    [
        ({"*password": "tops3cret"}, [], {}),
        ({"*password": "#{*myP}"}, [{"id": "*myP"}], {"*myP": "tops3cret"}),
        ({"*password": "#{*myP}"}, [{"id": "*myP", "default": "tops3cret"}], {}),
        # Fed by a parameter without a star.
        ({"*password": "#{myP}"}, [{"id": "myP"}], {"myP": "tops3cret"}),
        ({"*password": "#{myField}", "myField": "x#{myP}"}, [{"id": "myP"}], {"myP": "tops3cret"}),
        ({"*password": "#{myOther.myField}", "myOther": {"ref": "Hello"}}, [{"id": "myP"}], {"myP": "tops3cret"}),
        ({"*password": "#{myP}"}, [{"id": "myP", "default": "#{myQ}"}, {"id": "myQ"}], {"myQ": "tops3cret"}),
        # A field that feeds it, and a part of its own text.
        ({"*password": "#{myField}", "myField": "tops3cret"}, [], {}),
        ({"*password": "tops3cret#{myP}"}, [{"id": "myP"}], {"myP": "x"}),
        ({"*password": "#{'tops3cret' + myP}"}, [{"id": "myP"}], {"myP": "x"}),
        ({"*password": "tops3cret#{"}, [], {}),
        ({"connectionString": "jdbc:mysql://h/d?user=u&password=tops3cret", "*password": "x"}, [], {}),
        ({"connectionString": "jdbc:postgresql://u:tops3cret@h/d", "*password": "x"}, [], {}),
    ],
)
def test_its_value_is_nowhere(
    database: dict[str, Any], parameters: list[dict[str, str]], values: dict[str, str]
) -> None:
    shell = SHELL | {"myField": "#{myP}"} if any(item["id"] == "myP" for item in parameters) else SHELL
    found = definition(DATABASE | database, shell, parameters=parameters, values=values)
    assert "tops3cret" not in repr(found)
    assert any(parameter.is_secret for parameter in found.parameters.values())


def test_a_secret_that_is_written_elsewhere_is_replaced() -> None:
    found = definition(
        DATABASE | {"*password": "tops3cret"},
        SHELL | {"command": "mysql -ptops3cret", "name": "uses tops3cret"},
        parameters=[{"id": "myA", "description": "not tops3cret"}],
        values={"myA": "a tops3cret b"},
    )
    assert "tops3cret" not in repr(found)
    assert found.objects["Hello"].text("command") == "mysql -p#{*Db_password}"
    assert found.parameters["myA"].values == ("a #{*Db_password} b",)


def test_a_short_secret_is_replaced_only_where_it_is_a_word() -> None:
    found = definition(DATABASE | {"*password": "test"}, SHELL | {"command": "cd s3://test/latest; p test"})
    assert found.objects["Hello"].text("command") == "cd s3://#{*Db_password}/latest; p #{*Db_password}"


def test_the_services_mask_is_no_value() -> None:
    found = definition(
        DATABASE | {"*password": "*****"},
        SHELL | {"command": "echo '*****'"},
        parameters=[{"id": "*myP"}],
        values={"*myP": "*****"},
    )
    assert found.objects["Hello"].text("command") == "echo '*****'"
    assert found.objects["Db"].text("*password") == "#{*Db_password}"
    assert found.parameters["*myP"].values == ()
