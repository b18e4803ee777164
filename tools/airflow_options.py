"""Makes `functions/migration/airflow/renamed_options.json` from Airflow's own data: `make generate`.

Each release is asked in an installation of its own: the last 2.x for what was renamed up to it
(`AirflowConfigParser.deprecated_options` and its kin), and those 3.x that Amazon MWAA has for what they removed or
renamed (`CONFIGS_CHANGES` of `airflow config lint`). All are asked which options they know, and since when.
`CONFIGS_CHANGES` names no version, and an option that moved keeps the `version_added` of its old name, so what an
earlier release does not know counts more. A newer Airflow is taken in by adding it here and running this again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from local.installations import airflow_installation
from migration.airflow import versions

LAST_2 = "2.11.2"
#: In order.
RELEASES_3 = ("3.0.6", "3.2.1", "3.3.1")
FILE = Path(__file__).parent.parent / "functions" / "migration" / "airflow" / "renamed_options.json"

# Runs inside an installation and prints JSON on its last line.
_ASK = """
import json
from airflow.configuration import AirflowConfigParser as parser

def dotted(section, option):
    return section + "." + option

changes = [
    {"option": dotted(*old[:2]), "since": old[2], "to": dotted(*new)}
    for new, old in parser.deprecated_options.items()
]
for new, olds in getattr(parser, "many_to_one_deprecated_options", {}).items():
    changes += [{"option": dotted(*old[:2]), "since": old[2], "to": dotted(*new)} for old in olds]
for new, (old, since) in getattr(parser, "deprecated_sections", {}).items():
    changes.append({"section": old, "since": since, "to": new})
try:
    from airflow.cli.commands.config_command import CONFIGS_CHANGES
except ImportError:
    CONFIGS_CHANGES = []
removed = []
for change in CONFIGS_CHANGES:
    if not change.was_removed and not change.renamed_to:
        continue
    entry = {"option": dotted(*change.config), "since": "3.0.0", "to": None}
    if change.renamed_to:
        entry["to"] = dotted(*change.renamed_to)
    if change.remove_if_equals is not None:
        entry["if_equals"] = str(change.remove_if_equals)
    if change.suggestion:
        entry["suggestion"] = change.suggestion
    removed.append(entry)
from airflow.configuration import retrieve_configuration_description
own = retrieve_configuration_description(include_providers=False)
known = {
    dotted(section, option): (description or {}).get("version_added")
    for section, content in (parser().configuration_description or {}).items()
    for option, description in content["options"].items()
}
for option in known:
    section, _, name = option.partition(".")
    if name not in own.get(section, {}).get("options", {}):
        # A provider's; its version_added is the provider's too.
        known[option] = None
print(json.dumps({"changes": changes, "removed": removed, "known": known, "sections": sorted(own)}))
"""


def ask(version: str) -> dict[str, Any]:
    """What an installed release says of its options."""
    installation = airflow_installation.install(version)
    with tempfile.TemporaryDirectory() as home:
        env = installation.environment(Path(home), f"sqlite:///{home}/airflow.db")
        done = subprocess.run(
            [str(installation.python), "-c", _ASK], env=env, capture_output=True, text=True, check=False, timeout=120
        )
    if done.returncode != 0:
        raise SystemExit(f"Airflow {version} did not answer:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def make() -> dict[str, Any]:
    """The file's content: every change, in the order of versions, one an option and version."""
    two, *releases = (ask(version) for version in (LAST_2, *RELEASES_3))
    three = releases[-1]
    # 3.x's own table says once more, with 3.0.0, what 2.x renamed long before: the earlier version is the right one.
    changes = [entry for source in (two, three) for entry in _flat(source["changes"], source["known"])]
    renamed = {entry["option"]: entry["to"] for entry in changes}
    gone = _gone(releases)
    changes += [
        {**entry, "since": gone.get(entry["option"], entry["since"])}
        for entry in three["removed"]
        if entry["to"] is None or renamed.get(entry["option"]) != entry["to"]
    ]
    for entry in changes:
        # Airflow writes 3.0 for 3.0.0.
        entry["since"] = ".".join([*entry["since"].split("."), "0"][:3])
    unique = {(entry["option"], entry["since"]): entry for entry in reversed(changes)}
    ordered = sorted(unique.values(), key=lambda entry: (versions.parse(entry["since"]), entry["option"]))
    options = {
        "2": {"sections": two["sections"], "known": two["known"], "gone": {}},
        "3": {"sections": three["sections"], "known": _known(releases), "gone": gone},
    }
    return {"made_from": [LAST_2, *RELEASES_3], "changes": ordered, "options": options}


def _after(release: str) -> str:
    """The first version that can differ from a release: patches bring and take no options."""
    major, minor, _ = versions.parse(release)
    return f"{major}.{minor + 1}.0"


def _known(releases: list[dict[str, Any]]) -> dict[str, str | None]:
    """The options of the last release with the version that they are there from; None: always, or a provider's."""
    known: dict[str, str | None] = dict(releases[-1]["known"])
    for before, release in zip(releases, RELEASES_3[:-1], strict=False):
        for option, since in known.items():
            own = option.partition(".")[0] in releases[-1]["sections"]
            if own and option not in before["known"]:
                added = versions.parse(".".join([*(since or "0").split("."), "0", "0"][:3]))
                known[option] = str(max(added, versions.parse(_after(release))))
    return known


def _gone(releases: list[dict[str, Any]]) -> dict[str, str]:
    """The options that one release knows and the next does not, with the version that they are not there from."""
    return {
        option: _after(release)
        for before, after, release in zip(releases, releases[1:], RELEASES_3, strict=False)
        for option in sorted(before["known"])
        if option not in after["known"] and option.partition(".")[0] in before["sections"]
    }


def _flat(changes: list[dict[str, Any]], known: dict[str, str | None]) -> list[dict[str, Any]]:
    """A renamed section as one change an option, for the options that the new section has."""
    flat: list[dict[str, Any]] = []
    for entry in changes:
        if "section" not in entry:
            flat.append(entry)
            continue
        prefix = f"{entry['to']}."
        flat += [
            {"option": f"{entry['section']}.{name.removeprefix(prefix)}", "since": entry["since"], "to": name}
            for name in known
            if name.startswith(prefix)
        ]
    return flat


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--check", action="store_true", help="only say whether the file is stale")
    text = json.dumps(make(), indent=1) + "\n"
    if arguments.parse_args().check:
        if not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{FILE.name} is stale: run python -m tools.airflow_options")
        return
    FILE.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{FILE.name}: {text.count('since')} changes\n")


if __name__ == "__main__":
    main()
