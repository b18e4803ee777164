"""Rehearsals and migrations on this machine: the application in a local AWS, between real Airflows."""
