"""Which release this Airflow is, and whether the engine runs in it."""

from __future__ import annotations

from mwaa_migrator.errors import AirflowNotSupported

OLDEST = (1, 10, 12)
FIRST_TOO_NEW = (4, 0, 0)

#: From here on Airflow keeps tasks out of the metadata database, and upgrades from 2.7.0 on only.
AIRFLOW_3 = (3, 0, 0)


def version_tuple(version: str) -> tuple[int, ...]:
    """``2.10.3`` to ``(2, 10, 3)``; what follows the numbers (``rc1``, ``+composer``) does not count."""
    numbers = []
    for piece in version.split("+")[0].split(".")[:3]:
        digits = ""
        for character in piece:
            if not character.isdigit():
                break
            digits += character
        numbers.append(int(digits or 0))
    return tuple(numbers + [0] * (3 - len(numbers)))


def airflow_version() -> str:
    """Raises AirflowNotSupported outside of 1.10.12 to 3.x."""
    from airflow import __version__ as version

    if not OLDEST <= version_tuple(version) < FIRST_TOO_NEW:
        raise AirflowNotSupported(f"Airflow {version} is not supported. Run the engine inside Airflow 1.10.12 to 3.x.")
    return str(version)
