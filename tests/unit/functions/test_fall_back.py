"""FallBack: from the direct way to the way through 2.11."""

from __future__ import annotations

import json

import pytest

import fall_back
import plan
from migration import errors
from migration.aws import clients
from migration.checks import check_results
from migration.exchange.store import of_attempt
from tests.unit.functions.conftest import Environments, Handler, document
from tests.unit.functions.objects import Plan

CAUSE = json.dumps({"errorMessage": "No way leads from this worker to the metadata database.", "errorType": "X"})


@pytest.fixture
def kept_out(mwaa: Environments, call: Handler) -> Plan:
    """The plan of a direct migration whose target has been created."""
    planned = call(plan, input=document(options={"path": "auto"}))
    tags = {"mwaa-migrator:migration": planned["id"]}
    mwaa.all["prod-3"] = {"Name": "prod-3", "Status": "AVAILABLE", "AirflowVersion": "3.2.1", "Tags": tags}
    return planned


def test_a_fall_back_deletes_the_target_and_plans_the_path_through_2_11(
    mwaa: Environments, kept_out: Plan, call: Handler
) -> None:
    first = call(fall_back, migration=kept_out, cause=CAUSE, waitedSeconds=0)
    assert (first["ready"], mwaa.all["prod-3"]["Status"]) == (False, "DELETING")
    del mwaa.all["prod-3"]
    planned = call(fall_back, migration=kept_out, cause=CAUSE, waitedSeconds=first["waitedSeconds"])["migration"]
    assert (planned["path"], planned["importVersion"], planned["hops"], planned["direct"]) == (
        ["2.10.3", "2.11.2", "3.2.1"],
        "2.11.2",
        ["3.2.1"],
        False,
    )
    assert planned["notes"][-1].startswith("The target was created at Airflow 3.2.1, and again at 2.11.2")
    # The target that is made now has no plugin, and needs none.
    assert (planned["wayIn"], [note for note in planned["notes"] if "plugin" in note]) == ("worker", [])
    (check,) = check_results.read(of_attempt(clients.s3(), planned))
    assert (check["result"], "No way leads from this worker" in check["message"]) == ("warn", True)
    # Another execution of the same input goes on from there.
    assert call(plan, input=document(options={"path": "auto"}))["path"] == planned["path"]


def test_a_fall_back_deletes_nothing_where_2_11_does_not_take_the_source(
    mwaa: Environments, kept_out: Plan, call: Handler
) -> None:
    kept_out["source"]["airflowVersion"] = "2.11.3"
    with pytest.raises(errors.ImportVersionUnfit, match=r"2\.11\.2 cannot take the source's 2\.11\.3, and .*No way"):
        call(fall_back, migration=kept_out, cause=CAUSE, waitedSeconds=0)
    assert mwaa.all["prod-3"]["Status"] == "AVAILABLE"
