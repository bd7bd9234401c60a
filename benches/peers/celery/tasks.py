"""The task that sends a message, and the worker's settings.

Prints "ready" when the worker waits for tasks. A task's result is the provider's id of the message, stored in Redis.
No retries, no rate limit, no receipts. Read from the environment: REDIS_PORT, SINK, CONCURRENCY.
"""

import json
import os

import urllib3
from celery import Celery, signals

CONCURRENCY = int(os.environ["CONCURRENCY"])
redis = f"redis://127.0.0.1:{os.environ['REDIS_PORT']}"
app = Celery("campaign", broker=f"{redis}/0", backend=f"{redis}/1")
app.conf.update(
    task_default_queue="campaign",
    # A task of a worker that died is run again.
    task_acks_late=True,
    worker_prefetch_multiplier=4,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    # By default 10, which loses acknowledgements: those tasks would run twice.
    broker_transport_options={"max_connections": 2 * CONCURRENCY},
    redis_max_connections=2 * CONCURRENCY,
    # Otherwise each task opens a connection of its own: with gevent it runs in a thread of its own.
    result_backend_thread_safe=True,
)

URL = f"http://{os.environ['SINK']}/api/v1/subaccounts/bench/messages"
HEADERS = {"accept": "application/json", "content-type": "application/json", "authorization": "Bearer bench"}
provider = urllib3.PoolManager(maxsize=CONCURRENCY, retries=False)


@app.task(name="send")
def send(client_message_id, msisdn, name, code):
    parameters = [{"type": "text", "text": text} for text in (name, code)]
    components = [{"type": "body", "parameters": parameters}]
    message = {
        "user": {"msisdn": msisdn},
        "clientMessageId": client_message_id,
        "type": "template",
        "content": {"template": {"name": "promo", "language": "en", "components": components}},
        "channels": [{"channel": "WhatsApp"}],
    }
    # The same bytes that Volley sends.
    body = json.dumps(message, separators=(",", ":"))
    answer = provider.request("POST", URL, body=body, headers=HEADERS)
    if answer.status != 200:
        raise RuntimeError(f"the provider answered {answer.status}: {answer.data!r}")
    return answer.json()["umid"]


@signals.worker_ready.connect
def tell(**_):
    print("ready", flush=True)
