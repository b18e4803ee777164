"""A local AWS: one endpoint that runs a SAM application's functions and state machines, each with its role's rights.

It knows nothing of the application that it runs.
"""
