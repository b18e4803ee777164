"""The scratch schema: an artifact's rows, restored and upgraded in the target's database."""
