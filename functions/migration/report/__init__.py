"""The report: what it says, how it looks to people, and who is told."""
