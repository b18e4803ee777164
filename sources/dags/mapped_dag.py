"""A DAG of mapped tasks, which there are since 2.3."""

from __future__ import annotations

from support import VERSION, dag

if VERSION >= (2, 3):
    from airflow.exceptions import AirflowException
    from airflow.operators.python import PythonOperator

    def names():
        return [{"name": name} for name in ("one", "zwei 'quoted'", "三\n", "")]

    def prices():
        return {"a": 1, "b\tc": 2}

    def measure(name):
        return {"name": name, "length": len(name)}

    def fail_for_empty(name):
        if not name:
            raise AirflowException("There is nothing in it")

    def total(measured):
        return sum(one["length"] for one in measured)

    def pair(key, value):
        return [key, value]

    named = {"map_index_template": "{{ task.op_kwargs['name'] }}"} if VERSION >= (2, 9) else {}

    with dag("mapped") as mapped:
        listed = PythonOperator(task_id="names", python_callable=names)
        measured = PythonOperator.partial(task_id="measure", python_callable=measure, **named).expand(
            op_kwargs=listed.output
        )
        PythonOperator.partial(task_id="fail_for_empty", python_callable=fail_for_empty, retries=1).expand(
            op_kwargs=listed.output
        )
        PythonOperator(task_id="total", python_callable=total, op_kwargs={"measured": measured.output})
        of_dict = PythonOperator(task_id="prices", python_callable=prices)
        PythonOperator.partial(task_id="pair", python_callable=pair).expand(op_args=of_dict.output)
        PythonOperator.partial(task_id="mapped_over_nothing", python_callable=measure).expand(op_kwargs=[])
