"""Fills a source environment, from inside its Airflow; its argument is JSON.

    {"unpause": [dag_id, ...], "trigger": [[dag_id, run_id, conf], ...],
     "variables": {key: value}, "connections": [uri with conn_id...], "pools": [[name, slots, description]]}

It uses Airflow's own code. Python 3.7 has to be able to run it.
"""

import datetime
import json
import sys


def main(wanted):
    from airflow import settings
    from airflow.models import Connection, DagModel, Pool, Variable

    session = settings.Session()
    for key, value in wanted["variables"].items():
        Variable.set(key, value)
    for connection_id, uri in wanted["connections"].items():
        session.add(Connection(conn_id=connection_id, uri=uri))
    for name, slots, description in wanted["pools"]:
        pool = Pool(pool=name, slots=slots, description=description)
        if hasattr(Pool, "include_deferred"):  # 2.7 and later; it has no default in the table
            pool.include_deferred = False
        session.add(pool)
    for dag_id in wanted["unpause"]:
        model = session.query(DagModel).filter(DagModel.dag_id == dag_id).one()
        model.is_paused = False
    session.commit()
    start = _now()
    for number, (dag_id, run_id, conf) in enumerate(wanted["trigger"]):
        # Before 2.2 a run is identified by its date too, so no two may have the same.
        _trigger(dag_id, run_id, conf, start - datetime.timedelta(seconds=number))


def _now():
    from airflow.utils import timezone

    return timezone.utcnow().replace(microsecond=0)


def _trigger(dag_id, run_id, conf, date):
    try:
        from airflow.api.common.trigger_dag import trigger_dag
    except ImportError:  # before 2.2
        from airflow.api.common.experimental.trigger_dag import trigger_dag
    from airflow import __version__ as airflow_version

    if int(airflow_version.split(".")[0]) < 3:
        trigger_dag(dag_id, run_id=run_id, conf=conf, execution_date=date)
    else:
        from airflow.utils.types import DagRunTriggeredByType

        trigger_dag(dag_id, run_id=run_id, conf=conf, logical_date=date, triggered_by=DagRunTriggeredByType.CLI)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
