#!/usr/bin/env python3
"""Sends messages over the 8x8 API: to the provider, to Volley, or to the practice provider.

    BASE_URL=http://127.0.0.1:8688 SUB_ACCOUNT=acme API_KEY_FILE=volley.key ./send.py

Needs Python 3.9 or newer, and no package. Each answer is printed as one line: the status and its JSON.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

BASE_URL = os.environ.get("BASE_URL", "https://chatapps.8x8.com")
SUB_ACCOUNT = os.environ["SUB_ACCOUNT"]


def api_key():
    """Reads the key from a file, so that no list of processes shows it."""
    path = os.environ.get("API_KEY_FILE")
    if path:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    return os.environ["API_KEY"]


def call(method, path, body=None):
    """Makes one request, again if it came too early. Returns the status and the JSON of the answer, also of an error."""
    request = urllib.request.Request(
        f"{BASE_URL}/api/v1/subaccounts/{SUB_ACCOUNT}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {api_key()}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        if error.code != 429:
            return error.code, json.load(error)
        # Messages may be queried once a second for each subaccount.
        time.sleep(int(error.headers.get("Retry-After", 1)))
        return call(method, path, body)


def in_an_hour():
    return (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat(timespec="seconds")


def show(what, answer):
    status, body = answer
    print(json.dumps({"call": what, "status": status, "body": body}))
    return body


def main():
    text = {"type": "text", "content": {"text": "Hello World!"}}
    channels = [{"channel": "SMS"}]

    sent = show("send", call("POST", "/messages", {
        "user": {"msisdn": "+6591234567"},
        "clientMessageId": "order-42",
        **text,
        "channels": channels,
    }))

    show("send with fallback", call("POST", "/messages", {
        "user": {"msisdn": "+6591234567"},
        "type": "template",
        "content": {
            "template": {
                "name": "order_shipped",
                "language": "en_US",
                "components": [{"type": "body", "parameters": [{"type": "text", "text": "Jason"}]}],
            },
            "fallbackText": "Hi Jason, your order was shipped.",
            "sms": {"encoding": "AUTO", "source": "SHOP"},
        },
        "channels": [
            {"channel": "WhatsApp", "fallbackAfter": 60, "successStatus": "Delivered"},
            {"channel": "SMS"},
        ],
    }))

    batch = show("batch", call("POST", "/messages/batch", {
        "clientBatchId": "november",
        "includeMessagesInResponse": True,
        "template": {**text, "channels": channels},
        "messages": [
            {"user": {"msisdn": "+6591234567"}, "clientMessageId": "a", "scheduled": in_an_hour()},
            {"user": {"msisdn": "not a number"}, "clientMessageId": "b", "scheduled": in_an_hour()},
        ],
    }))

    show("details", call("GET", f"/messages/{sent['umid']}"))
    show("cancel", call("DELETE", f"/messages/batch/{batch['batchId']}"))
    show("no such message", call("GET", "/messages/dec02e44-c76f-4a0a-b69f-6ac2a4386eb9"))
    show("wrong number", call("POST", "/messages", {"user": {"msisdn": "12"}, **text}))
    show("wrong type", call("POST", "/messages", {"user": {"msisdn": "+6591234567"}, "type": "fax", "content": {}}))


if __name__ == "__main__":
    sys.exit(main())
