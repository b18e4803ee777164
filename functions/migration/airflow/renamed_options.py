"""Airflow configuration options that were renamed or removed between two versions.

The mapping is Airflow's own (`renamed_options.json`, made by `tools/airflow_options.py` from installed releases).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

from migration.airflow import versions

# 1.10.12's class for Secrets Manager was moved to the Amazon provider.
_SECRETS_BACKENDS = {
    "airflow.contrib.secrets.aws_secrets_manager.SecretsManagerBackend": (
        "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
    ),
    "airflow.contrib.secrets.aws_systems_manager.SystemsManagerParameterStoreBackend": (
        "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend"
    ),
}
_BACKEND_OPTION = "secrets.backend"


class _Needed(NamedTuple):
    """An option without which a target of `since` up to `before` does not show the history of a source before `made`.

    All are versions of Airflow.
    """

    made: str
    since: str
    before: str
    option: str
    why: str


_NEEDED = (
    _Needed(
        "2.3.0",
        "2.11.1",
        "3.0.0",
        "core.use_historical_filename_templates",
        "so that the logs of runs from before Airflow 2.3 are found under their old names. It lets the web server "
        "render what a DAG's author wrote; take it away when those logs are no longer read.",
    ),
    _Needed(
        "2.0.0",
        "2.0.0",
        "3.0.0",
        "core.enable_xcom_pickling",
        "because the XComs of Airflow 1.10 are pickles; take it away when they are no longer read.",
    ),
)


class Change(TypedDict):
    """One change of an option (`section.option`). `to` is None where the option was removed."""

    option: str
    since: str
    to: str | None
    if_equals: NotRequired[str]
    suggestion: NotRequired[str]


class Translation(NamedTuple):
    """`options` for the new version, and a sentence for each option that is not what it was."""

    options: dict[str, str]
    notes: list[str]


@functools.cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(__file__).with_name("renamed_options.json").read_text(encoding="utf-8"))
    return content


def changes() -> list[Change]:
    found: list[Change] = _content()["changes"]
    return found


def removed(options: Mapping[str, str], target: str) -> dict[str, str]:
    """The options that Airflow `target` no longer has under any name, each with what Airflow suggests instead."""
    by_name = _by_name(target)
    followed = {option: _follow(option, value, by_name) for option, value in options.items()}
    return {option: suggestion for option, (name, suggestion) in followed.items() if name is None}


def unknown(options: Iterable[str], target: str) -> list[str]:
    """The options that Airflow `target` never had, in sections that are or were Airflow's own.

    Other sections belong to providers, plugins and users, who may read what they like. Old names of what was renamed
    are not unknown.
    """
    version = versions.parse(target)
    releases = _content()["options"]
    release = releases.get(str(version.major))
    if release is None:
        return []
    old = {change["option"] for change in changes()}
    known = {name for name, since in release["known"].items() if since is None or _since(since) <= version}
    known |= {name for name, since in release["gone"].items() if version < _since(since)}
    # What a provider took over is not Airflow's own any more.
    theirs = {name.partition(".")[0] for name in release["known"]} - set(release["sections"])
    before = (set(said["sections"]) for major, said in releases.items() if int(major) <= version.major)
    sections = set[str]().union(*before) - theirs
    return sorted(
        option
        for option in options
        if option.partition(".")[0] in sections and option not in known and option not in old
    )


def _since(text: str) -> versions.Version:
    """Airflow writes 2.7 for 2.7.0."""
    return versions.parse(".".join([*text.split("."), "0"][:3]))


def _by_name(target: str) -> dict[str, Change]:
    limit = versions.parse(target)
    return {change["option"]: change for change in changes() if versions.parse(change["since"]) <= limit}


def translate(options: dict[str, str], target: str) -> Translation:
    """Environment options (`core.parallelism`: `"32"`) under the names that Airflow `target` knows.

    Renames are followed one after the other; names that the source's version had already deprecated are followed too,
    because the target may no longer honour them. A new name that the user has set as well wins over the old one. Values
    are never in the notes: they can be secrets.
    """
    limit = versions.parse(target)
    by_name = _by_name(target)
    translated: dict[str, str] = {}
    notes: list[str] = []
    for option, value in options.items():
        name, suggestion = _follow(option, value, by_name)
        if name is None:
            notes.append(f"{option} was removed from Airflow and left out. {suggestion}".rstrip())
        elif name != option:
            notes.append(f"{option} is now {name}.")
        if name is not None and (name == option or name not in options):
            translated[name] = value
    backend = translated.get(_BACKEND_OPTION, "")
    if backend in _SECRETS_BACKENDS and limit.major >= 2:
        translated[_BACKEND_OPTION] = _SECRETS_BACKENDS[backend]
        notes.append(f"{_BACKEND_OPTION} names its class in the Amazon provider, where it was moved.")
    return Translation(translated, notes)


def needed(source: str, target: str) -> Translation:
    """Options that Airflow `target` needs to show the history of a source at version `source`, and why."""
    old, new = versions.parse(source), versions.parse(target)
    found = [
        item
        for item in _NEEDED
        if old < versions.parse(item.made) and versions.parse(item.since) <= new < versions.parse(item.before)
    ]
    options, _ = translate({item.option: "True" for item in found}, target)
    return Translation(options, [f"{name} is True, {item.why}" for name, item in zip(options, found, strict=True)])


def _follow(option: str, value: str, by_name: dict[str, Change]) -> tuple[str | None, str]:
    """An option's final name (None: removed), and what Airflow suggests instead of a removed one."""
    name, seen = option, {option}
    while name in by_name and by_name[name].get("if_equals", value) == value:
        change = by_name[name]
        if change["to"] is None:
            return None, change.get("suggestion", "")
        name = change["to"]
        if name in seen:
            break
        seen.add(name)
    return name, ""
