"""Migrations in which something goes wrong, as a seed says, and a judge of what they leave: `make chaos`."""
