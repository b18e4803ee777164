"""Copies log events between log groups: every event, once, at the pace that CloudWatch's quotas allow."""
