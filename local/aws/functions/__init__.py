"""AWS Lambda: the built functions, each invocation in a process with AWS's own runtime client."""
