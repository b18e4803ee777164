"""Every Choice and every Catch of the migrate state machine, in real executions."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from mwaa_migrator_cli import dry_run
from mwaa_migrator_cli.state_order import STATES as STATE_ORDER
from tools.template import template

from .conftest import MIGRATION, NOT_READY, READY, WELL, Event, Execute, Fails, Outcome, definition

STATES = definition()["States"]

BEFORE_EXPORT = ["Plan", "GrantAccess", "Purpose", "StageSettings", "CreateEnvironment", "PollTarget", "TargetReady"]
TO_PARSED = [*BEFORE_EXPORT, "StageDags", "CheckParsed", "DagsParsed"]
RUN = ["TriggerRun", "CheckRun", "RunEnded"]
PROBE = RUN
CHECKS = ["CheckTarget", "TargetChecked", "CheckFiles", "FilesChecked"]
MOVED = [*RUN, *RUN, "Verify", "Verified"]
# The base, a refresh and the delta.
FROM_BASE_TO_VERIFIED = [*MOVED, "LogsEarly", "CopyLogsEarly", *MOVED, *MOVED]
TO_VERIFY = [*TO_PARSED, *PROBE, "Probed", *CHECKS, *FROM_BASE_TO_VERIFIED]
HOP = ["NextHop", "StageHop", "UpdateEnvironment", "PollHop", "HopEnded", "NextHop"]
LOGS = ["Logs", "CopyLogs"]
CUT_OVER = ["Mode", "CutOver", "CutOverEnded"]
VERSIONS = ["GiveDagVersions", "VersionsGiven"]
END = ["Report", "CleanUp", "CleanUpEnded", "Outcome"]
BACK = ["RollBack", "RolledBack"]
LOG_FUNCTIONS = ("ListLogStreams", "CopyLogEvents", "CollectLogResults")
BY_HAND = ["Plan", "GrantAccess", "Purpose", "StageRollBack", "CheckParsed", "DagsParsed"]


EXPORT = "mwaa_migrator_export"


def from_last(outcome: Outcome, state: str) -> list[str]:
    """The states from the last time on that one was entered."""
    return outcome.states[len(outcome.states) - 1 - outcome.states[::-1].index(state) :]


def started(outcome: Outcome) -> list[str]:
    """The runs of our DAGs, in their order."""
    return [event["dag"] for event in outcome.events("TriggerDagRun")]


def test_a_migration_with_a_hop(execute: Execute) -> None:
    outcome = execute()
    assert outcome.states == [*TO_VERIFY, *HOP, *LOGS, *CUT_OVER, *VERSIONS, *END, "Succeeded"]
    assert (outcome.status, outcome.output) == (
        "SUCCEEDED",
        {
            "migrationId": MIGRATION["id"],
            "bucket": "exchange",
            "report": "migrations/x/1/report.json",
            "verdict": "pass",
        },
    )


def own_calls(outcome: Outcome) -> list[tuple[str, Event]]:
    """The calls, except the log copy's, without the execution's name."""
    return [
        (name, {**event, "execution": "", "executionArn": ""})
        for name, event in outcome.calls
        if name not in LOG_FUNCTIONS
    ]


def test_one_that_is_aborted_anywhere_goes_on_where_it_was_when_it_is_redriven(execute: Execute) -> None:
    whole = execute()
    own = [number for number, (name, _) in enumerate(whole.calls, 1) if name not in LOG_FUNCTIONS]
    assert len(own) > 15
    for place, number in enumerate(own, 1):
        outcome = execute(abort_at=number)
        # The state is entered once more, with the same input and variables.
        assert own_calls(outcome) == own_calls(whole)[:place] + own_calls(whole)[place - 1 :]
        assert len(outcome.states) == len(whole.states) + 1
        assert (outcome.status, outcome.output) == ("SUCCEEDED", whole.output)


def test_within_2_there_is_no_hop(execute: Execute) -> None:
    outcome = execute(Plan={**MIGRATION, "hops": []})
    assert outcome.states == [*TO_VERIFY, "NextHop", *LOGS, *CUT_OVER, *END, "Succeeded"]


DIRECT = {**MIGRATION, "direct": True, "importVersion": "3.2.1", "hops": []}
TARGET_PROBE = RUN


def test_directly_there_is_no_hop_and_the_target_is_probed_before_anything_is_paused(execute: Execute) -> None:
    outcome = execute(Plan=DIRECT, CheckDagRun=[READY, NOT_READY, READY])
    assert outcome.states == [
        *(*TO_PARSED, *PROBE),
        *(*TARGET_PROBE, "WaitForRun", *TARGET_PROBE[1:], "Probed", *CHECKS),
        *(*FROM_BASE_TO_VERIFIED, "NextHop", *LOGS, *CUT_OVER, *END, "Succeeded"),
    ]
    of_target = [event for event in outcome.events("CheckDagRun") if event["dag"] == "mwaa_migrator_target_probe"]
    assert [event["waitedSeconds"] for event in of_target] == [0, 60]


@pytest.mark.parametrize("state", TARGET_PROBE[:2])
def test_a_target_that_lets_no_task_in_is_rolled_back_before_anything_is_paused(execute: Execute, state: str) -> None:
    function = "TriggerDagRun" if state == "TriggerRun" else "CheckDagRun"
    outcome = execute(Plan=DIRECT, **{function: [READY, Fails("DatabaseOutOfReach")]})
    after = [] if state == "TriggerRun" else ["MayFallBack"]
    assert from_last(outcome, state) == [state, *after, *BACK, *END, "Failed"]
    assert (outcome.error, EXPORT in started(outcome)) == ("DatabaseOutOfReach", False)


def test_an_import_that_is_kept_out_falls_back_no_more(execute: Execute) -> None:
    """Only the target's probe may: what comes after it has imported, or has paused the source."""
    outcome = execute(Plan=AUTO, CheckDagRun=[READY, READY, READY, Fails("DatabaseOutOfReach")])
    assert from_last(outcome, "CheckRun") == ["CheckRun", "MayFallBack", *BACK, *END, "Failed"]
    assert started(outcome)[-1] == "mwaa_migrator_import_base"


FALL_BACK = ["MayFallBack", "FallBack", "FellBack"]
AUTO = {**DIRECT, "options": {**DIRECT["options"], "path": "auto"}}


def test_where_it_may_it_falls_back_to_the_path_through_2_11(execute: Execute) -> None:
    through = {**MIGRATION, "options": AUTO["options"]}
    outcome = execute(
        Plan=AUTO,
        CheckDagRun=[READY, Fails("DatabaseOutOfReach", "no way in"), READY],
        FallBack=[{**NOT_READY, "migration": through}, {**READY, "migration": through}],
    )
    again = [*BEFORE_EXPORT[3:], "StageDags", "CheckParsed", "DagsParsed", *PROBE, "Probed", *CHECKS]
    assert outcome.states == [
        *(*TO_PARSED, *PROBE, *TARGET_PROBE[:2]),
        *(*FALL_BACK, "WaitForFallBack", *FALL_BACK[1:]),
        *(*again, *FROM_BASE_TO_VERIFIED, *HOP, *LOGS, *CUT_OVER, *VERSIONS, *END, "Succeeded"),
    ]
    assert [(event["waitedSeconds"], "no way in" in event["cause"]) for event in outcome.events("FallBack")] == [
        (0, True), (60, True),
    ]  # fmt: skip
    assert [event["phase"] for event in outcome.events("CreateEnvironment")] == ["create target", "fall back"]
    # It is no failure any more.
    assert (outcome.events("Report")[0]["failure"], outcome.events("CleanUp")[0]["failed"]) == ({}, False)


@pytest.mark.parametrize("version", ["3.0.6", "10.0.0"])
def test_a_source_at_airflow_3_has_no_path_to_fall_back_to(execute: Execute, version: str) -> None:
    plan = {**AUTO, "source": {"airflowVersion": version}}
    outcome = execute(Plan=plan, CheckDagRun=[READY, Fails("DatabaseOutOfReach", "no way in")])
    assert outcome.states[outcome.states.index("MayFallBack") :] == ["MayFallBack", *BACK, *END, "Failed"]
    assert outcome.error == "DatabaseOutOfReach"


def test_a_fall_back_that_fails_rolls_back(execute: Execute) -> None:
    outcome = execute(
        Plan=AUTO, CheckDagRun=[READY, Fails("SourceBelowMigrations")], FallBack=Fails("ImportVersionUnfit")
    )
    assert outcome.states[-8:] == ["MayFallBack", "FallBack", *BACK, *END[:3], "Outcome", "Failed"][-8:]
    assert outcome.error == "ImportVersionUnfit"


def test_after_an_upgrade_in_place_old_task_instances_get_dag_versions(execute: Execute) -> None:
    outcome = execute(CutOver=[{**NOT_READY, "done": 0}, WELL["CutOver"]], GiveDagVersions=[NOT_READY, READY])
    after = outcome.states[outcome.states.index("GiveDagVersions") :]
    assert after == [*VERSIONS, "WaitForVersions", *VERSIONS, *END, "Succeeded"]
    # Waits for the cut-over do not count.
    assert [event["waitedSeconds"] for event in outcome.events("GiveDagVersions")] == [0, 60]


def test_a_migration_without_dag_versions_is_reported_and_not_taken_back(execute: Execute) -> None:
    outcome = execute(GiveDagVersions=Fails("DatabaseOutOfReach", "no way in"))
    assert outcome.states[-6:] == ["GiveDagVersions", *END, "Succeeded"]
    (reported,) = outcome.events("Report")
    (unchecked,) = reported["unchecked"]
    assert (unchecked["state"], unchecked["error"]) == ("GiveDagVersions", "DatabaseOutOfReach")
    assert (reported["failure"], outcome.events("CleanUp")[0]["failed"]) == ({}, False)


REHEARSAL = {**MIGRATION, "mode": "rehearse"}


def test_a_rehearsal_checks_and_does_not_cut_over(execute: Execute) -> None:
    outcome = execute(Plan=REHEARSAL, Report={**WELL["Report"], "verdict": "fail"})
    assert outcome.states == [
        *(*TO_PARSED, *PROBE, "Probed", *FROM_BASE_TO_VERIFIED),
        *(*HOP, *LOGS, "Mode", *CHECKS, *VERSIONS, *END, "Succeeded"),
    ]
    # The output says that something is wrong.
    assert (outcome.status, outcome.output["verdict"]) == ("SUCCEEDED", "fail")


def test_checks_are_waited_for(execute: Execute) -> None:
    # Earlier waits do not count.
    outcome = execute(Plan=REHEARSAL, PollEnvironment=[NOT_READY, READY], CheckTarget=[NOT_READY, NOT_READY, READY])
    assert (outcome.status, outcome.states.count("WaitForCheck")) == ("SUCCEEDED", 2)
    assert [event["waitedSeconds"] for event in outcome.events("CheckTarget")] == [0, 60, 60]


def test_checks_that_fail_by_themselves_end_in_the_report(execute: Execute) -> None:
    outcome = execute(Plan=REHEARSAL, CheckTarget=Fails("AccessDeniedException"))
    assert outcome.states[-11:] == ["Mode", "CheckTarget", "CheckFiles", "FilesChecked", *VERSIONS, *END, "Succeeded"]
    (reported,) = outcome.events("Report")
    assert (reported["failure"], outcome.events("CleanUp")[0]["failed"]) == ({}, False)


def test_a_target_that_answers_for_too_long_is_asked_once_more(execute: Execute) -> None:
    outcome = execute(Plan=REHEARSAL, CheckTarget=Fails("Sandbox.Timedout"))
    assert len(outcome.events("CheckTarget")) == 2
    assert outcome.states[-10:] == ["CheckTarget", "CheckFiles", "FilesChecked", *VERSIONS, *END, "Succeeded"]


def test_a_migration_checks_before_it_pauses_anything(execute: Execute) -> None:
    # What the probe waited for does not count.
    outcome = execute(CheckDagRun=[NOT_READY, READY], CheckTarget=[NOT_READY, READY])
    assert outcome.states.count("WaitForCheck") == 1
    assert [event["waitedSeconds"] for event in outcome.events("CheckTarget")] == [0, 60]
    functions = [function for function, _ in outcome.calls]
    assert functions.index("CheckFiles") < functions.index("TriggerDagRun", functions.index("TriggerDagRun") + 1)
    assert outcome.events("Report")[0]["unchecked"] == []


def test_failed_checks_stop_a_migration_before_it_pauses_anything(execute: Execute) -> None:
    outcome = execute(CheckFiles=Fails("ChecksFailed", "what fails"))
    assert outcome.states == [*TO_PARSED, *PROBE, "Probed", *CHECKS[:-1], *BACK, *END, "Failed"]
    assert (outcome.error, outcome.events("RollBack")[0]["waitedSeconds"]) == ("ChecksFailed", 0)
    (reported,) = outcome.events("Report")
    assert (reported["failure"]["state"], reported["unchecked"]) == ("CheckFiles", [])


@pytest.mark.parametrize("function", ["CheckFiles", "CheckTarget"])
def test_a_migration_goes_on_without_a_check_that_cannot_be_made(execute: Execute, function: str) -> None:
    outcome = execute(**{function: Fails("LinterFailed")})
    assert outcome.status == "SUCCEEDED"
    assert "CutOver" in outcome.states
    unchecked = [failure["state"] for failure in outcome.events("Report")[0]["unchecked"]]
    assert unchecked == (["CheckFiles"] if function == "CheckFiles" else [])


def test_what_was_exported_is_not_held_up_by_checks(execute: Execute) -> None:
    outcome = execute(Plan={**MIGRATION, "finished": ["plan", "export"]})
    assert outcome.states[: len(TO_PARSED) + 1] == [*TO_PARSED, "TriggerRun"]
    assert started(outcome) == [EXPORT, "mwaa_migrator_import"]
    assert outcome.events("CheckFiles") == []


@pytest.mark.parametrize(("failure", "tries"), [("LinterFailed", 1), ("Sandbox.Timedout", 2), ("TransientError", 7)])
def test_files_that_cannot_be_checked_are_reported_and_take_nothing_back(
    execute: Execute, failure: str, tries: int
) -> None:
    outcome = execute(Plan=REHEARSAL, CheckFiles=Fails(failure, "look there"))
    assert len(outcome.events("CheckFiles")) == tries
    after = outcome.states[outcome.states.index("CheckFiles") :]
    assert after == ["CheckFiles", "FilesChecked", *VERSIONS, *END, "Succeeded"]
    (reported,) = outcome.events("Report")
    (unchecked,) = reported["unchecked"]
    assert (unchecked["state"], unchecked["error"]) == ("CheckFiles", failure)
    assert json.loads(unchecked["cause"])["errorMessage"] == "look there"
    assert reported["failure"] == {}
    assert outcome.events("CleanUp")[0]["failed"] is False


def test_files_are_checked_again_when_the_fault_passes(execute: Execute) -> None:
    outcome = execute(Plan=REHEARSAL, CheckFiles=[Fails("TransientError"), {"checks": 6}])
    assert len(outcome.events("CheckFiles")) == 2
    assert outcome.events("Report")[0]["unchecked"] == []


def test_what_an_earlier_execution_verified_is_not_done_again(execute: Execute) -> None:
    outcome = execute(Plan={**MIGRATION, "finished": ["plan", "verify"]})
    assert outcome.states == [*BEFORE_EXPORT, *HOP, *LOGS, *CUT_OVER, *VERSIONS, *END, "Succeeded"]


def test_what_was_cut_over_is_not_cut_over_again(execute: Execute) -> None:
    outcome = execute(Plan={**MIGRATION, "finished": ["verify", "cut over"]})
    assert outcome.states == [*BEFORE_EXPORT, *HOP, *LOGS, "Mode", *VERSIONS, *END, "Succeeded"]


def test_a_roll_back_by_hand_only_puts_the_source_back(execute: Execute) -> None:
    outcome = execute(Plan={**MIGRATION, "rollBack": True}, CheckParsed=[NOT_READY, READY])
    assert outcome.states == [*BY_HAND[:6], "WaitForDags", *BY_HAND[4:6], *BACK, *END, "Succeeded"]
    assert len(outcome.events("StageRollBack")) == 1
    assert outcome.events("StageDags") == outcome.events("StageSettings") == []
    assert outcome.events("RollBack")[0]["waitedSeconds"] == 0
    assert outcome.events("CleanUp")[0]["failed"] is False


@pytest.mark.parametrize("function", ["GrantAccess", "StageRollBack", "CheckParsed"])
def test_a_roll_back_by_hand_goes_as_far_as_it_can(execute: Execute, function: str) -> None:
    outcome = execute(Plan={**MIGRATION, "rollBack": True}, **{function: Fails("CopyRefused")})
    assert outcome.states[-7:] == [*BACK, *END, "Failed"]
    assert outcome.error == "CopyRefused"


def test_each_function_gets_the_execution_and_the_plan(execute: Execute) -> None:
    outcome = execute()
    name = outcome.calls[0][1]["execution"]
    arn = outcome.calls[0][1]["executionArn"]
    assert arn.endswith(f":execution:migrate:{name}")
    assert outcome.calls[0] == ("Plan", {"execution": name, "executionArn": arn, "input": {"source": {}}})
    own = [(function, event) for function, event in outcome.calls[1:] if "Log" not in function]
    assert all(event["execution"] == name and event["migration"] == MIGRATION for _, event in own)


def test_what_each_call_is_about(execute: Execute) -> None:
    outcome = execute()
    assert [function for function, _ in outcome.calls if function.startswith("Stage")] == [
        *("StageSettings", "StageDags", "StageSettings")
    ]
    assert [event["airflowVersion"] for event in outcome.events("StageSettings")] == ["2.11.2", "3.2.1"]
    polled = [(event["phase"], event["airflowVersion"]) for event in outcome.events("PollEnvironment")]
    assert polled == [("create target", "2.11.2"), ("hop to 3.2.1", "3.2.1")]
    runs = [
        "mwaa_migrator_probe",
        "mwaa_migrator_export_base",
        "mwaa_migrator_import_base",
        "mwaa_migrator_export_refresh_1",
        "mwaa_migrator_import_refresh_1",
        "mwaa_migrator_export",
        "mwaa_migrator_import",
    ]
    assert started(outcome) == [event["dag"] for event in outcome.events("CheckDagRun")] == runs
    assert [event["dag"] for event in outcome.events("Verify")] == runs[2::2]
    assert outcome.events("UpdateEnvironment")[0]["files"] == {"dags": "prod-3/dags"}


@pytest.mark.parametrize(
    ("function", "wait"),
    [
        ("PollEnvironment", "WaitForTarget"),
        ("CheckParsed", "WaitForDags"),
        ("CheckDagRun", "WaitForRun"),
        ("CleanUp", "WaitForCleanUp"),
    ],
)
def test_waits_and_looks_again(execute: Execute, function: str, wait: str) -> None:
    outcome = execute(**{function: [NOT_READY, NOT_READY, READY]})
    assert (outcome.status, outcome.states.count(wait)) == ("SUCCEEDED", 2)
    assert [event["waitedSeconds"] for event in outcome.events(function)][:3] == [0, 60, 60]


def test_waits_for_the_export_too(execute: Execute) -> None:
    outcome = execute(CheckDagRun=[READY, NOT_READY, NOT_READY, READY])
    assert outcome.states.count("WaitForRun") == 2
    assert [event["waitedSeconds"] for event in outcome.events("CheckDagRun")][:4] == [0, 0, 60, 60]


def test_what_the_source_holds_stops_a_migration_before_it_pauses_anything(execute: Execute) -> None:
    outcome = execute(CheckParsed=[NOT_READY, READY], CheckDagRun=Fails("MigrationWouldFail", "12 rows of xcom"))
    assert (outcome.error, started(outcome)) == ("MigrationWouldFail", ["mwaa_migrator_probe"])
    # Earlier waits do not count.
    assert [event["waitedSeconds"] for event in outcome.events("CheckDagRun")] == [0]
    assert outcome.events("Report")[0]["failure"]["state"] == "CheckRun of mwaa_migrator_probe"


def test_waits_for_the_import_too(execute: Execute) -> None:
    outcome = execute(CheckDagRun=[READY, READY, NOT_READY, READY])
    assert outcome.states.count("WaitForRun") == 1


def test_what_comes_after_an_import_is_waited_for_before_verify(execute: Execute) -> None:
    def check(event: Event) -> Event:
        run = str(event["dag"])
        following = {EXPORT: "mwaa_migrator_import", "mwaa_migrator_import": "mwaa_migrator_compare"}
        return {**READY, "next": following.get(run, run.replace("export", "import") if "export" in run else "")}

    outcome = execute(CheckDagRun=check)
    assert started(outcome)[-2:] == ["mwaa_migrator_import", "mwaa_migrator_compare"]
    assert outcome.events("Verify")[-1]["dag"] == "mwaa_migrator_compare"
    assert outcome.status == "SUCCEEDED"


def test_waits_for_a_hop(execute: Execute) -> None:
    outcome = execute(PollEnvironment=[READY, NOT_READY, READY])
    assert outcome.states.count("WaitForHop") == 1
    assert outcome.states[-10:] == [*CUT_OVER, *VERSIONS, *END, "Succeeded"]


def test_two_hops(execute: Execute) -> None:
    outcome = execute(Plan={**MIGRATION, "hops": ["3.0.6", "3.2.1"]})
    assert [event["airflowVersion"] for event in outcome.events("UpdateEnvironment")] == ["3.0.6", "3.2.1"]


def test_cut_over_goes_on_where_it_stopped(execute: Execute) -> None:
    unpaused: Event = {"ready": True, "waitSeconds": 0, "done": 150}
    outcome = execute(CutOver=[{**unpaused, "ready": False, "done": 100}, unpaused])
    assert outcome.states.count("WaitForCutOver") == 1
    assert [event["done"] for event in outcome.events("CutOver")] == [0, 100]


def test_roll_back_goes_on_where_it_stopped(execute: Execute) -> None:
    outcome = execute(Verify=Fails("VerificationFailed"), RollBack=[{**NOT_READY, "done": 5}, {**READY, "done": 9}])
    assert outcome.states.count("WaitForRollBack") == 1
    assert [(event["waitedSeconds"], event["done"]) for event in outcome.events("RollBack")] == [(0, 0), (60, 5)]


# Every state that can fail before the cut-over has ended: its function, and how often that was called before. Our runs
# are those of the probe, the base (two), the refresh (two) and the delta (two).
ROLLED_BACK = [
    ("GrantAccess", "GrantAccess", 0),
    ("StageSettings", "StageSettings", 0),
    ("CreateEnvironment", "CreateEnvironment", 0),
    ("PollTarget", "PollEnvironment", 0),
    ("StageDags", "StageDags", 0),
    ("CheckParsed", "CheckParsed", 0),
    *(("TriggerRun", "TriggerDagRun", number) for number in range(7)),
    *(("CheckRun", "CheckDagRun", number) for number in range(7)),
    *(("Verify", "Verify", number) for number in range(3)),
    ("StageHop", "StageSettings", 1),
    ("UpdateEnvironment", "UpdateEnvironment", 0),
    ("PollHop", "PollEnvironment", 1),
    ("CutOver", "CutOver", 0),
]


@pytest.mark.parametrize(("state", "function", "before"), ROLLED_BACK)
def test_a_failure_rolls_back_and_is_reported(execute: Execute, state: str, function: str, before: int) -> None:
    fine: Event = {"files": {}} if function == "StageSettings" else READY
    outcome = execute(**{function: [*[fine] * before, Fails("BucketNotFound", "look there")]})
    assert from_last(outcome, state) == [state, *BACK, *END, "Failed"]
    assert (outcome.status, outcome.error) == ("FAILED", "BucketNotFound")
    (reported,) = outcome.events("Report")
    run = f" of {outcome.events(function)[-1]['dag']}" if state in (*RUN, "Verify") else ""
    assert reported["failure"]["state"] == f"{state}{run}"
    assert reported["failure"]["error"] == "BucketNotFound"
    assert json.loads(reported["failure"]["cause"])["errorMessage"] == "look there"
    assert reported["rollBackFailure"] == {}
    assert outcome.events("CleanUp")[0]["failed"] is True


def test_logs_are_copied_while_the_dags_run_and_at_the_end(execute: Execute) -> None:
    outcome = execute()
    assert [function for function, _ in outcome.calls if "Log" in function or function == "TriggerDagRun"] == [
        *["TriggerDagRun"] * 3,
        *("ListLogStreams", "CopyLogEvents", "CopyLogEvents", "CollectLogResults"),
        *["TriggerDagRun"] * 4,
        *("ListLogStreams", "CopyLogEvents", "CopyLogEvents", "CollectLogResults"),
    ]
    given = [event["input"] for event in outcome.events("ListLogStreams")]
    assert [one["early"] for one in given] == [True, False]
    assert all(one["migration"] == MIGRATION for one in given)


@pytest.mark.parametrize(
    ("change", "copies"),
    [
        ({"options": {"logs": {"groups": [], "onlyFailed": False}}}, []),
        # Which task instances have failed is known only at the end.
        ({"options": {"logs": {"groups": ["Task"], "onlyFailed": True}}}, [False]),
        ({"finished": ["plan", "copy logs early"]}, [False]),
        ({"finished": ["plan", "verify", "copy logs"]}, []),
        ({"finished": ["plan", "verify"]}, [False]),
    ],
    ids=str,
)
def test_which_copies_are_made(execute: Execute, change: Event, copies: list[bool]) -> None:
    outcome = execute(Plan={**MIGRATION, **change})
    assert outcome.status == "SUCCEEDED"
    assert [event["input"]["early"] for event in outcome.events("ListLogStreams")] == copies


@pytest.mark.parametrize(("state", "before"), [("CopyLogsEarly", []), ("CopyLogs", [{"streams": 1}])])
def test_lost_logs_roll_back(execute: Execute, state: str, before: list[Event]) -> None:
    outcome = execute(CollectLogResults=[*before, Fails("LogsIncomplete", "one stream")])
    assert outcome.states[outcome.states.index(state) :] == [state, *BACK, *END, "Failed"]
    assert (outcome.status, outcome.error) == ("FAILED", "LogsIncomplete")
    (reported,) = outcome.events("Report")
    assert (reported["failure"]["state"], reported["failure"]["error"]) == (state, "LogsIncomplete")
    assert json.loads(reported["failure"]["cause"])["errorMessage"] == "one stream"


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"hops": [], "options": {"logs": {"groups": ["Task"], "onlyFailed": True}}},
        {"mode": "rehearse", "hops": ["3.0.6", "3.2.1"], "options": {"logs": {"groups": [], "onlyFailed": False}}},
    ],
    ids=["migration", "failed logs only", "rehearsal without logs"],
)
def test_a_dry_run_says_what_the_states_do(execute: Execute, change: Event) -> None:
    plan: Any = {**MIGRATION, "target": {"environment": "prod-3", "bucket": "dags", "dagsPath": "dags/"}, **change}
    options: Event = {
        "drainSeconds": 600,
        "historyDays": None,
        "smokeTest": [],
        "quiesce": True,
        "checks": "enforce",
        "baseRefreshes": 1,
    }
    plan["options"] = {**options, "logs": {"days": 14, **plan["options"]["logs"]}}
    steps = dry_run.steps_of(plan)
    entered = Counter(execute(Plan=plan).states)
    for state in ("CreateEnvironment", "CopyLogsEarly", "UpdateEnvironment", "CopyLogs", "CutOver"):
        assert len(steps.get(state, [])) == entered[state], state
    checks = [step for state in ("Mode", "CheckTarget", "CheckFiles") for step in steps.get(state, [])]
    assert len(checks) == entered["CheckTarget"] + entered["CheckFiles"]
    assert set(steps) <= set(STATE_ORDER)
    assert list(STATE_ORDER) == list(STATES)


def test_a_refused_plan_touches_nothing(execute: Execute) -> None:
    outcome = execute(Plan=Fails("InvalidInput", "source is missing"))
    assert outcome.states == ["Plan", "Refused"]
    assert (outcome.status, outcome.error) == ("FAILED", "InvalidInput")
    assert "source is missing" in (outcome.cause or "")


def test_a_failed_roll_back_is_reported_beside_the_failure(execute: Execute) -> None:
    outcome = execute(Verify=Fails("VerificationFailed"), RollBack=Fails("RollBackFailed"))
    assert outcome.states[-7:] == ["Verify", "RollBack", *END, "Failed"]
    (reported,) = outcome.events("Report")
    assert (reported["failure"]["error"], reported["rollBackFailure"]["error"]) == (
        "VerificationFailed",
        "RollBackFailed",
    )
    assert outcome.error == "VerificationFailed"


def test_a_failed_report_still_cleans_up(execute: Execute) -> None:
    outcome = execute(Report=Fails("AuthorizationErrorException"))
    assert outcome.states[-5:] == [*END, "Failed"]
    assert outcome.error == "AuthorizationErrorException"


def test_a_failed_clean_up_fails_the_execution(execute: Execute) -> None:
    outcome = execute(CleanUp=Fails("CleanUpTimedOut"))
    assert outcome.states[-3:] == ["Report", "CleanUp", "Failed"]
    assert outcome.error == "CleanUpTimedOut"


@pytest.mark.parametrize("function", ["Report", "CleanUp"])
def test_the_first_failure_names_the_execution(execute: Execute, function: str) -> None:
    outcome = execute(Verify=Fails("VerificationFailed"), **{function: Fails("AccessDeniedException")})
    assert (outcome.status, outcome.error) == ("FAILED", "VerificationFailed")


@pytest.mark.parametrize(
    "fault", ["TransientError", "CliUnreachable", "CliRefused", "CliAnswerInvalid", "Lambda.TooManyRequestsException"]
)
def test_a_fault_that_passes_is_retried(execute: Execute, fault: str) -> None:
    outcome = execute(CreateEnvironment=[Fails(fault), Fails(fault), {"created": True}])
    assert (outcome.status, len(outcome.events("CreateEnvironment"))) == ("SUCCEEDED", 3)


@pytest.mark.parametrize(
    "fault",
    [
        "Lambda.ResourceNotReadyException",
        "Lambda.ENILimitReachedException",
        "Lambda.SubnetIPAddressLimitReachedException",
        "Lambda.EC2ThrottledException",
    ],
)
def test_a_function_that_is_not_ready_is_waited_for(execute: Execute, fault: str) -> None:
    outcome = execute(GrantAccess=[Fails(fault), Fails(fault), WELL["GrantAccess"]])
    assert (outcome.status, len(outcome.events("GrantAccess"))) == ("SUCCEEDED", 3)


@pytest.mark.parametrize("verified", [True, False])
def test_a_migration_whose_functions_were_idle_for_weeks(execute: Execute, verified: bool) -> None:
    """Each function in a VPC is Inactive at first, as under LAMBDA_STATE=Inactive, also those that roll back."""
    resources = template()["Resources"].items()
    in_vpc = {name.removesuffix("Function") for name, resource in resources if "VpcConfig" in resource["Properties"]}
    states = ("NotReady", "Conflict")
    failures = [Fails(f"Lambda.Resource{state}Exception") for state in states]
    idle = {name: [*failures, WELL[name]] for name in in_vpc & WELL.keys()}
    outcome = execute(**idle, **({} if verified else {"Verify": Fails("VerificationFailed")}))
    assert outcome.error == (None if verified else "VerificationFailed")
    assert outcome.states[-1] == ("Succeeded" if verified else "Failed")
    woken = {name for name, answers in idle.items() if len(answers) == 1}
    assert woken == {"CheckParsed", "TriggerDagRun", "CheckDagRun", "CheckTarget", "Report", "CleanUp"} | (
        {"CutOver", "GiveDagVersions"} if verified else {"RollBack"}
    )


def test_while_the_source_is_paused_a_web_server_gets_ten_minutes(execute: Execute) -> None:
    outcome = execute(CutOver=[*[Fails("CliUnreachable")] * 7, WELL["CutOver"]])
    assert (outcome.status, len(outcome.events("CutOver"))) == ("SUCCEEDED", 8)


@pytest.mark.parametrize(
    ("function", "calls_before"), [("TriggerDagRun", 0), ("TriggerDagRun", 1), ("CheckDagRun", 1), ("CheckDagRun", 2)]
)
def test_so_it_gets_for_our_dag_runs(execute: Execute, function: str, calls_before: int) -> None:
    well = WELL[function]
    outcome = execute(**{function: [*[well] * calls_before, *[Fails("CliUnreachable")] * 7, well]})
    assert outcome.status == "SUCCEEDED"


def test_a_target_in_maintenance_is_upgraded_when_that_is_over(execute: Execute) -> None:
    outcome = execute(UpdateEnvironment=[*[Fails("TargetBusy")] * 8, {"updating": True}])
    assert (outcome.status, len(outcome.events("UpdateEnvironment"))) == ("SUCCEEDED", 9)


def test_a_fault_that_stays_rolls_back(execute: Execute) -> None:
    outcome = execute(GrantAccess=Fails("TransientError"))
    assert (outcome.error, len(outcome.events("GrantAccess"))) == ("TransientError", 7)
    assert "RollBack" in outcome.states


def test_every_state_is_reached_by_a_test() -> None:
    reached = {*TO_VERIFY, *BY_HAND, *HOP, *LOGS, *CHECKS, *CUT_OVER, *END, *BACK, "Succeeded", "Failed", "Refused"}
    waits = {"WaitForTarget", "WaitForDags", "WaitForRun", "WaitForHop", "WaitForCleanUp"}
    reached |= {*FALL_BACK, "WaitForFallBack", *VERSIONS, "WaitForVersions"}
    assert set(STATES) == reached | waits | {"WaitForRollBack", "WaitForCheck", "WaitForCutOver"}


TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}


@pytest.mark.parametrize("name", TASKS)
def test_every_task_retries_what_passes_and_catches_the_rest(name: str) -> None:
    task, common = TASKS[name], TASKS["Plan"]["Retry"]
    # A check that takes too long is retried once: seven tries take half an hour, which no check is worth.
    once = [{**common[0], "ErrorEquals": ["Sandbox.Timedout", "States.Timeout"], "MaxAttempts": 1}]
    # Maintenance of the target is waited out.
    waiting = {"ErrorEquals": ["TargetBusy"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 64}
    maintenance = [{**waiting, "MaxDelaySeconds": 2, "JitterStrategy": "NONE"}]
    of_starts = ("AWSStepFunctionsException", "ExecutionLimitExceededException", "SdkClientException")
    starts = [{**common[0], "ErrorEquals": [f"StepFunctions.{error}" for error in of_starts]}]
    first = {
        "CheckFiles": once,
        "CheckTarget": once,
        "CopyLogs": starts,
        "CopyLogsEarly": starts,
        "UpdateEnvironment": maintenance,
    }
    # While the source is paused a web server gets ten minutes.
    long = name in ("RollBack", "CutOver", "CheckRun", "TriggerRun")
    usual = [{**common[0], "MaxAttempts": 24}, *common[1:]] if long else common
    assert task["Retry"] == first.get(name, []) + usual
    assert {"Lambda.TooManyRequestsException", "Lambda.ServiceException", "TransientError"} <= set(
        common[0]["ErrorEquals"]
    )
    named = {"CheckFiles": [["ChecksFailed"]], "CheckRun": [["DatabaseOutOfReach", "SourceBelowMigrations"]]}
    before = named.get(name, [])
    assert [caught["ErrorEquals"] for caught in task["Catch"]] == [*before, ["States.ALL"]]
    assert task["TimeoutSeconds"] > 0


def transitions(outcome: Outcome) -> int:
    """What Step Functions charges: a transition for each state entered, and for each retry."""
    return len(outcome.states)


def test_transitions_of_a_long_migration(execute: Execute) -> None:
    """At most 300 at a 60-second poll: 30 minutes to create, 40 for the hop, 15 each for the base's export and import,
    a minute for each of the other runs."""

    def environments(event: Event) -> Event:
        return wait(event, 1800 if event["phase"] == "create target" else 2400, 120)

    def wait(event: Event, needed: int, seconds: int) -> Event:
        waited = event["waitedSeconds"]
        return {"ready": waited >= needed, "waitSeconds": 0, "waitedSeconds": waited + seconds}

    outcome = execute(
        PollEnvironment=environments,
        CheckParsed=lambda event: wait(event, 300, 60),
        CheckDagRun=lambda event: wait(event, 900 if event["dag"].endswith("base") else 60, 60),
    )
    assert outcome.status == "SUCCEEDED"
    assert transitions(outcome) <= 300
