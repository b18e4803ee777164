"""Databases as Airflow connections."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from .draft import Connection, Draft
from .expressions.values import Text
from .model import PipelineObject
from .naming import identifier

#: JDBC's names, with Airflow's connection types, the providers that have them, and the ports that go without saying.
_ENGINES = {
    "postgresql": ("postgres", "apache-airflow-providers-postgres", 5432),
    "mysql": ("mysql", "apache-airflow-providers-mysql", 3306),
    "mariadb": ("mysql", "apache-airflow-providers-mysql", 3306),
    "oracle": ("oracle", "apache-airflow-providers-oracle", 1521),
    "sqlserver": ("mssql", "apache-airflow-providers-microsoft-mssql", 1433),
    "redshift": ("redshift", "apache-airflow-providers-amazon", 5439),
}
_OTHER = ("jdbc", "apache-airflow-providers-jdbc", 0)
_JDBC = re.compile(r"jdbc:(?P<engine>[a-z]+):(?:thin:@)?(?://)?(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_REDSHIFT_HOST = re.compile(r"(?:(?P<cluster>[^./:@]+)\.[^/]*redshift[^/]*|(?P<host>[^/:]+)).*")


def connection(draft: Draft, database: PipelineObject) -> str:
    """The id of the connection for a database, or for a data node that names its own. It is listed to be made."""
    conn_id = f"{draft.dag.dag_id}_{identifier(database.name, identifier(database.id))}"
    if conn_id not in draft.connections:
        draft.connections[conn_id] = _connection(draft, database, conn_id)
    for name in ("connectionString", "username", "databaseName", "rdsInstanceId", "jdbcProperties", "region"):
        draft.ledger.note(database, name, f"The connection `{conn_id}`.")
    draft.ledger.note(
        database, "*password", f"The password of the connection `{conn_id}`; its value is written nowhere."
    )
    for name in ("jdbcDriverJarUri", "jdbcDriverClass"):
        if database.text(name) and draft.connections[conn_id].conn_type == "jdbc":
            draft.ledger.decide(database, name, "Put the driver into the environment's plugins.")
        elif database.text(name):
            draft.ledger.dropped(database, name, "Airflow's provider has a driver of its own.")
    return conn_id


def _connection(draft: Draft, database: PipelineObject, conn_id: str) -> Connection:
    login = draft.text(database, "username")
    name = draft.text(database, "databaseName")
    password_from = _password_from(draft, database)
    properties = dict(pair.jinja.partition("=")[::2] for pair in draft.texts(database, "jdbcProperties"))
    known = Connection(
        conn_id, "<type>", schema=_plain(name), login=_plain(login), extra=properties, password_from=password_from
    )
    text = draft.text(database, "connectionString")
    if text is None:
        # The reference's RdsDatabase names an instance; which engine it has only the account knows.
        instance = _plain(draft.text(database, "rdsInstanceId"))
        draft.ledger.decide(
            database,
            "rdsInstanceId",
            f"Look up engine and endpoint of {instance} (`aws rds describe-db-instances`) for `{conn_id}`. "
            "MySQL is assumed.",
        )
        draft.requirements.add(_ENGINES["mysql"][1])
        return replace(known, conn_type="mysql", host=f"<endpoint of {instance}>", port=_ENGINES["mysql"][2])
    match = _JDBC.fullmatch(text.fixed or text.jinja)
    if match is None:
        draft.ledger.decide(
            database, "connectionString", f"Give the connection `{conn_id}` type and host: the definition has no value."
        )
        draft.requirements.add("apache-airflow-providers-common-sql")
        return known
    conn_type, requirement, usual_port = _ENGINES.get(match["engine"].lower(), _OTHER)
    draft.requirements.add(requirement)
    if conn_type == "jdbc":
        return replace(known, conn_type="jdbc", host=_plain(text))
    place = _place(match["rest"])
    return replace(
        known,
        conn_type=conn_type,
        host=_holes(place.host),
        port=place.port or usual_port,
        schema=known.schema or _holes(place.schema),
        extra={**place.options, **properties},
    )


@dataclass(frozen=True)
class _Place:
    host: str
    port: int | None
    schema: str
    options: dict[str, str]


def _place(rest: str) -> _Place:
    """Host, port, database and options behind a JDBC address's engine, in the spellings of the engines."""
    address, _, query = rest.partition("?")
    if ";" in address:
        address, _, query = address.partition(";")
    options = {
        key: value for key, value in parse_qsl(query.replace(";", "&")) if key.lower() not in ("user", "password")
    }
    schema = options.pop("databaseName", "") or options.pop("database", "")
    address = address.rpartition("@")[2]
    host, _, path = address.partition("/")
    # A Jinja expression has colons of its own.
    found = re.match(r"(?P<host>(?:\{\{.*?\}\}|[^:{])+)(?::(?P<port>\d+|\{\{.*?\}\}))?(?::(?P<sid>.+))?$", host)
    if found is None:
        return _Place(host, None, schema or path, options)
    port = int(found["port"]) if (found["port"] or "").isdigit() else None
    return _Place(found["host"], port, schema or path or found["sid"] or "", options)


def _password_from(draft: Draft, database: PipelineObject) -> str:
    text = database.text("*password")
    if text is None:
        return ""
    return (
        f"{database.id}.*password, fed by {text}"
        if not text.startswith(f"#{{*{database.id}_")
        else f"{database.id}.*password"
    )


def _plain(text: Text | None) -> str:
    """A text for a connection, where nothing renders a template: an unknown value is a hole to fill."""
    if text is None:
        return ""
    return text.fixed if text.fixed is not None else _holes(text.jinja)


def _holes(template: str) -> str:
    """A template with its expressions as holes: `<daily_my_host>`."""
    return re.sub(r"\{\{\s*(?:var\.value\.)?(.*?)\s*\}\}", r"<\1>", template)


def redshift_target(draft: Draft, database: PipelineObject) -> dict[str, Any]:
    """The arguments of the Redshift Data API that say which database: the cluster, the database and its user.

    The Data API needs no driver, no way through the network and no password: the environment's role asks for
    credentials of the user for each statement.
    """
    cluster = draft.text(database, "clusterId")
    address = draft.text(database, "connectionString")
    target: dict[str, Any] = {}
    name = draft.text(database, "databaseName")
    if cluster is not None:
        target["cluster_identifier"] = cluster.jinja
        draft.ledger.note(database, "clusterId", "`cluster_identifier` of the Redshift Data API.")
    elif address is not None:
        match = _JDBC.fullmatch(address.fixed or "")
        place = _place(match["rest"]) if match else None
        host = _REDSHIFT_HOST.fullmatch(place.host) if place else None
        if host and host["cluster"]:
            target["cluster_identifier"] = host["cluster"]
            draft.ledger.note(database, "connectionString", "The cluster's identifier, for the Redshift Data API.")
        else:
            described = f"The identifier of the Redshift cluster that {database.id} ({database.name}) is in."
            target["cluster_identifier"] = draft.variable(f"{identifier(database.name)}_cluster", described)
            draft.ledger.decide(
                database,
                "connectionString",
                "The Redshift Data API wants the cluster's identifier, which is not in the connection string: fill "
                "in its variable.",
            )
        if name is None:
            path = re.search(r"/([\w$-]+)(?:\?.*)?$", address.jinja)
            name = Text.of(path[1]) if path else None
    if name is None:
        draft.ledger.decide(
            database, "databaseName", "The definition does not name it; `dev`, Redshift's own, is written."
        )
    target["database"] = name.jinja if name else "dev"
    user = draft.text(database, "username")
    if user is not None:
        target["db_user"] = user.jinja
    region = draft.text(database, "region")
    if region is not None:
        target["region_name"] = region.jinja
    for field in ("databaseName", "username", "region", "jdbcProperties"):
        draft.ledger.note(database, field, "An argument of the Redshift Data API.")
    draft.ledger.dropped(
        database, "*password", "The Redshift Data API needs none: the role asks for the user's credentials."
    )
    return target
