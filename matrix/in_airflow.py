"""Serves the web application of the Airflow 2.11 that runs this, with one user.

    <Airflow's python> in_airflow.py <port> <user> <password>

Without Gunicorn, whose processes would each import Airflow again.
"""

import sys

from airflow.www.app import create_app


def serve(port, user, password):
    application = create_app()
    manager = application.appbuilder.sm
    manager.add_user(user, "A", "B", "a@example.com", manager.find_role("Admin"), password)
    application.run("127.0.0.1", int(port), threaded=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
