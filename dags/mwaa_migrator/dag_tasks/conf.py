"""What a DAG run's conf asks for: ``{"artifact": "s3://bucket/prefix/<artifact id>", "options": {...}}``."""

from __future__ import annotations

import json
from typing import Any, Mapping

from mwaa_migrator.errors import InvalidArguments
from mwaa_migrator.options import Option


def artifact_url(conf: Any) -> str | None:
    """Where the artifact is, as far as the conf says it."""
    url = conf.get("artifact") if isinstance(conf, dict) else None
    return url.rstrip("/") if url and isinstance(url, str) else None


def read_options(conf: Any, known: Mapping[str, Option]) -> dict[str, Any]:
    """The options with their defaults; raises InvalidArguments with all faults of the conf."""
    faults: list[str] = []
    if not isinstance(conf, dict):
        faults.append("it must be an object with artifact and options")
        conf = {}
    if artifact_url(conf) is None:
        faults.append("artifact must be the URL of the artifact's folder")
    given = conf.get("options") or {}
    if not isinstance(given, dict):
        faults.append("options must be an object")
        given = {}
    options = {name: option.default for name, option in known.items()}
    for name, value in sorted(given.items()):
        if name not in known:
            faults.append("there is no option {}; there are {}".format(name, ", ".join(sorted(known)) or "none"))
        elif not known[name].accepts(value):
            faults.append(f"{name} must be {known[name].words}, not {json.dumps(value)}")
        else:
            options[name] = value
    if faults:
        raise InvalidArguments("The DAG run's conf is wrong: {}. Trigger the DAG again.".format("; ".join(faults)))
    return options
