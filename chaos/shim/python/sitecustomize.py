"""Shortens the time-outs of functions and tasks, so that a call that hangs costs seconds.

The AWS SDK and the client of the CLI endpoint both wait as long as their urllib3.Timeout says, 20 to 120 seconds; this
cuts it to CHAOS_READ_SECONDS. What they do then is their own.
"""

import os

import urllib3

_SECONDS = float(os.environ["CHAOS_READ_SECONDS"])
_init = urllib3.Timeout.__init__


def _shorter(self, *arguments, **options):
    if isinstance(options.get("read"), (int, float)):
        options["read"] = min(options["read"], _SECONDS)
    _init(self, *arguments, **options)


urllib3.Timeout.__init__ = _shorter
