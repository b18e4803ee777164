"""The base and the deltas that a target holds, each of which follows the one before it.

They outlive an attempt: after a rollback the next one takes a delta of the last of them. So the target gets one base,
and what has changed in the source since is replaced there, whichever attempt has brought it.
"""

from __future__ import annotations

from typing import TypedDict

from migration import errors
from migration.exchange import layout
from migration.exchange.store import Store
from migration.model import Migration


class Chain(TypedDict):
    """`artifacts` are prefixes in the exchange bucket, in the order of their imports; `importing` is that of one whose
    import was started and is not known to have ended. `closed` says why the target takes no other one, if it does not.
    """

    artifacts: list[str]
    importing: str | None
    closed: str | None


_MENDED = "its rows were mended for its upgrade"
_UNKNOWN = "an earlier attempt's import into it was not seen to end"
_DIFFERENT = "an earlier attempt's import into it was not verified"


def read(store: Store) -> Chain:
    """`store` is the migration's."""
    found: Chain | None = store.read(layout.CHAIN)
    return found or Chain(artifacts=[], importing=None, closed=None)


def forget(store: Store) -> None:
    """For a target that is about to be created: it holds nothing."""
    store.write(layout.CHAIN, Chain(artifacts=[], importing=None, closed=None))


def has_base(store: Store) -> bool:
    return bool(read(store)["artifacts"])


def last(store: Store) -> str | None:
    """The prefix of the artifact that the next delta follows."""
    return next(reversed(read(store)["artifacts"]), None)


def begin(store: Store, prefix: str) -> None:
    """Notes that an import is started."""
    chain = read(store)
    if chain["importing"] != prefix and prefix not in chain["artifacts"]:
        store.write(layout.CHAIN, {**chain, "importing": prefix})


def end(store: Store, prefix: str, *, mended: bool) -> None:
    """Notes that an import was verified. `mended`: the rows were changed for an upgrade of the target, too."""
    chain = read(store)
    artifacts = chain["artifacts"] if prefix in chain["artifacts"] else [*chain["artifacts"], prefix]
    store.write(layout.CHAIN, Chain(artifacts=artifacts, importing=None, closed=_MENDED if mended else None))


def settle(store: Store, whole: Store, migration: Migration) -> None:
    """Settles what an earlier attempt has left open, before this one's first export.

    `whole` is the exchange bucket's. Raises TargetUnfit if the target can be given nothing more.
    """
    chain = read(store)
    importing = chain["importing"]
    ours = layout.artifact(migration["artifactId"])
    if importing is not None and importing != ours and not importing.startswith(f"{ours}/"):
        chain = _settled(chain, importing, whole)
        store.write(layout.CHAIN, chain)
    if chain["closed"]:
        raise errors.TargetUnfit(
            f"{migration['target']['environment']} is left from an earlier attempt of this migration and takes no "
            f"other delta: {chain['closed']}. Delete it and start again."
        )


def _settled(chain: Chain, importing: str, whole: Store) -> Chain:
    imported, verified = (whole.read(f"{importing}/{layout.result(task)}") for task in ("import", "verify"))
    if imported is None:
        return Chain(artifacts=chain["artifacts"], importing=importing, closed=_UNKNOWN)
    if imported["status"] != "done":
        # One transaction: the target is as it was.
        return Chain(artifacts=chain["artifacts"], importing=None, closed=chain["closed"])
    if verified is None or verified["status"] != "done" or not verified["verified"]:
        return Chain(artifacts=chain["artifacts"], importing=importing, closed=_DIFFERENT)
    closed = _MENDED if "changed_for_hop" in verified else chain["closed"]
    return Chain(artifacts=[*chain["artifacts"], importing], importing=None, closed=closed)
