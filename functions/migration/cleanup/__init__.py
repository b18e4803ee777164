"""Takes back what a migration, or a rehearsal that died, has left."""
