"""Logs, traces and metrics of every function."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics, Tracer

# Service, namespace and level come from the template's environment variables.
logger = Logger()
tracer = Tracer()
metrics = Metrics()
