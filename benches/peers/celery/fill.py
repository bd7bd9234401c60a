"""Adds the messages of a campaign to the list `filled`. Usage: python fill.py REDIS_PORT MESSAGES

The app has no result backend: with one, Celery would subscribe to the result of every task. The workers store results
all the same.
"""

import sys

from celery import Celery

port, messages = map(int, sys.argv[1:])
app = Celery("campaign", broker=f"redis://127.0.0.1:{port}/0")

with app.producer_or_acquire() as producer:
    for n in range(messages):
        args = (f"att_{n:032x}", f"+659{n:07}", f"Name {n}", f"CODE{n}")
        app.send_task("send", args, queue="filled", producer=producer)
