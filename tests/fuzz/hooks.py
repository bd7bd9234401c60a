"""Gives requests what a schema cannot: keys that are new, and no cursors, which come from the page before.

Also says how a part of an upload is sent: as its bytes.
"""

import uuid

import schemathesis

KEY = "Idempotency-Key"


@schemathesis.hook
def map_headers(context, headers):
    key = (headers or {}).get(KEY)
    # A key that is wrong on purpose stays so.
    if isinstance(key, str) and 1 <= len(key) <= 255 and all("!" <= each <= "~" for each in key):
        headers[KEY] = str(uuid.uuid4())
    return headers


@schemathesis.hook
def map_query(context, query):
    (query or {}).pop("cursor", None)
    return query


@schemathesis.serializer("application/offset+octet-stream")
def part(context, value):
    return value if isinstance(value, bytes) else str(value).encode()
