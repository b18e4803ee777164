"""Names of DAGs, tasks and files, made of what people called their objects."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable

_LONGEST = 100


def identifier(text: str, otherwise: str = "task") -> str:
    """A text as a Python identifier in lower case: `Load 1` is `load_1`, `LoadTable` is `load_table`."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    plain = plain.replace("DynamoDB", "Dynamodb_")
    spaced = re.sub(r"(?<=[A-Z_])to(?=[A-Z])", "_to_", plain)
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{3})", "_", spaced)
    name = re.sub(r"\W+|_+", "_", spaced).strip("_").lower()[:_LONGEST].strip("_")
    if not name:
        return otherwise
    if name[0].isdigit():
        return f"{otherwise}_{name}"
    return f"{name}_" if keyword.iskeyword(name) or keyword.issoftkeyword(name) else name


class Names:
    """Gives names that are unique; the first who asks for one gets it unchanged."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def unique(self, wanted: str, distinction: str = "") -> str:
        """The name, or else with the distinction behind it, or else with a number."""
        candidates = [wanted]
        if distinction and distinction != wanted:
            candidates.append(f"{wanted}_{distinction}")
        name = next((item for item in candidates if item not in self._taken), "")
        number = 2
        while not name:
            if f"{wanted}_{number}" not in self._taken:
                name = f"{wanted}_{number}"
            number += 1
        self._taken.add(name)
        return name
