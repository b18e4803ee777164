"""The report: what it says, how people see it, and who is notified."""
