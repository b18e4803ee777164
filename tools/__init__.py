"""Programs that make checked-in files from their source, and say when one is stale."""
