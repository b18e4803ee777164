"""Objects deleted in batches."""

from __future__ import annotations

from typing import Any

import pytest

from migration.aws import clients
from migration.environments import s3_objects
from migration.errors import DeleteRefused, TransientError
from migration.state import state
from tests.unit.functions.conftest import Context


def put(*keys: str) -> None:
    for key in keys:
        clients.s3().put_object(Bucket="dags", Key=key, Body=b"x")


def left() -> list[str]:
    return [item["Key"] for item in clients.s3().list_objects_v2(Bucket="dags").get("Contents", [])]


def test_keys_are_deleted_whatever_is_in_them() -> None:
    kept = left()
    odd = ["tmp/a b.py", "tmp/é+&<>%.py", "tmp/two\nlines.py", "tmp/bell\x07.py"]
    put(*odd)
    s3_objects.delete(clients.s3(), "dags", [*odd, "tmp/gone.py"])
    assert left() == kept


def test_versions_stay() -> None:
    put("tmp/a.py")
    s3_objects.delete(clients.s3(), "dags", ["tmp/a.py"])
    listed = clients.s3().list_object_versions(Bucket="dags", Prefix="tmp/a.py")
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (1, 1)


class Refusing:
    """S3 that answers DeleteObjects with errors for some of the keys."""

    def __init__(self, errors: dict[str, str]) -> None:
        self._errors = errors
        self.asked: list[list[str]] = []

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self.asked.append([each["Key"] for each in Delete["Objects"]])
        errors = [
            {"Key": key, "Code": code, "Message": "told"} for key, code in self._errors.items() if key in self.asked[-1]
        ]
        return {"Errors": errors} if errors else {}


def test_a_request_has_a_thousand_keys_at_most() -> None:
    s3 = Refusing({})
    s3_objects.delete(s3, "dags", [str(number) for number in range(2001)])  # type: ignore[arg-type]
    assert [len(keys) for keys in s3.asked] == [1000, 1000, 1]


def test_a_key_that_may_not_be_deleted_is_named() -> None:
    s3 = Refusing({"busy.py": "SlowDown", "a.py": "AccessDenied"})
    with pytest.raises(DeleteRefused, match=r"^1 of 3 objects in s3://dags .*AccessDenied.* a\.py operation: told\. "):
        s3_objects.delete(s3, "dags", ["busy.py", "a.py", "b.py"])  # type: ignore[arg-type]


def test_what_passes_by_itself_is_tried_again_by_the_state_machine() -> None:
    @state
    def handler() -> dict[str, Any]:
        s3_objects.delete(Refusing({"a.py": "InternalError"}), "dags", ["a.py"])  # type: ignore[arg-type]
        return {}

    with pytest.raises(TransientError, match=r"DeleteObjects of a\.py: InternalError: told"):
        handler({}, Context())  # type: ignore[arg-type]
