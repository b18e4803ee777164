"""What a migration is asked for, whether it can be done, and how: the input, the preconditions, the plan."""
