"""IAM and STS: who calls, what a call needs, and whether policies allow it."""
