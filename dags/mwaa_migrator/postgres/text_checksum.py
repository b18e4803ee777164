"""A checksum that every database computes alike, of rows that did not come from PostgreSQL.

A row's hash is the first 64 bits, as a signed number, of the MD5 of its texts in UTF-8, with ``SEPARATOR`` between
them. The text of a value:

* NULL: the character ``NULL``; boolean: 1 or 0; a number without a fraction: its digits
* a number with a fraction: what is left of the point in its millionfold, or ``large`` from a million millions on
* a time: year to microsecond, in UTC
* text with a limit: itself; text, JSON and bytes of any length: their MD5, so that no row's text is long
* jsonb, which writes a value in a way of its own: ``{}``; a UUID: its digits
"""

from __future__ import annotations

#: The name of the algorithm in the manifest.
TEXT_MD5 = "md5_of_texts"

SEPARATOR, NULL = "\x1f", "\x1e"
