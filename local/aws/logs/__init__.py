"""CloudWatch Logs: one service, which a local AWS runs without quotas, and benchmarks with them."""
