"""Rehearsals that end badly, through both state machines and the functions as packaged."""
