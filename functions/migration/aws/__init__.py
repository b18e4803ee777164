"""AWS: its clients, and what it answered."""
