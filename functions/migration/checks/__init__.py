"""What a rehearsal checks on the target's version, from the user's files and from the target itself."""
