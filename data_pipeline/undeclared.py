"""Parameters that expressions name and nothing declares.

The service takes a parameter's value without its declaration, when a definition is put or activated, so published
definitions do without. By the reference, a parameter's name begins with `my`; any other name that means nothing is a
problem.
"""

from __future__ import annotations

import re
from dataclasses import replace

from .expressions import syntax
from .model import Definition, Parameter

_NAME = re.compile(r"\*?my[A-Z_]\w*")


def declare(definition: Definition) -> Definition:
    """The definition with a parameter for each such name."""
    fields = {name for found in definition.objects.values() for name in found.fields}
    added: dict[str, Parameter] = {}
    for found in definition.objects.values():
        for field in found.fields:
            for text in found.texts(field):
                for name, *others in syntax.names(text):
                    known = definition.parameter(name) is not None or name in fields
                    if not others and not known and _NAME.fullmatch(name):
                        added.setdefault(name, Parameter(name, named_at=(found.id, field)))
    return replace(definition, parameters={**definition.parameters, **added}) if added else definition
