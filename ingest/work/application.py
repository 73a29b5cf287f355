"""The Celery application, as workers and those who send to them share it.

What is set here is what a bulk ingest needs to survive: a message is acknowledged after its work, a
worker takes one at a time, and only ids travel, as JSON. The truth about jobs is in SQL.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import Celery
from celery.schedules import crontab
from kombu import Queue

from attribution.config import Settings
from attribution.tracing import trace_tasks
from ingest.work.broker import celery_options
from ingest.work.dispatch import BULK
from ingest.work.tasks import (
    CALIBRATE,
    COUNT,
    DELIVER,
    FOLLOW,
    MAP,
    RECONCILE,
    SEE_TO,
    SWEEP,
    WATCH,
)

IN_PROCESS: dict[str, Any] = {"broker_url": "memory://localhost", "result_backend": None}
QUEUES = ("ingest", "encode", "lookup", "generate", "maintenance", "upkeep")
SWEEP_EVERY_S = 10
DELIVER_EVERY_S = 5
WATCH_EVERY_S = 60
CALIBRATE_EVERY_S = 60  # looked at; done where enough has changed
RECONCILE_EVERY_S = 60  # a part of the works
SEE_TO_EVERY_S = 3600
FOLLOW_EVERY_S = 60
COUNT_AT = crontab(hour=3, minute=0)  # UTC
MAP_EVERY_S = 3600


def make_app(settings: Settings) -> Celery:
    """Return the application without its tasks, with the broker of the settings.

    Without one, tasks run where they are sent: `memory://` and eager. Raises BadInput for a broker
    that cannot be used.
    """
    in_process = not settings.broker_url
    broker = IN_PROCESS if in_process else celery_options(settings.broker_url)
    if settings.traces:
        trace_tasks()
    app = Celery("lawful", set_as_current=False)
    app.conf.update(broker)
    app.conf.update(
        task_always_eager=in_process,
        task_eager_propagates=True,
        result_expires=timedelta(hours=1),
        task_queues=[Queue(name) for name in QUEUES],
        task_routes={f"{name}.*": {"queue": name} for name in QUEUES},
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_serializer="json",
        accept_content=["json"],
        task_time_limit=settings.batch_time_limit_s,
        # A message of a dead worker comes back after this; long before, the sweep has sent another.
        broker_transport_options=broker.get("broker_transport_options", {})
        | {
            "visibility_timeout": settings.batch_time_limit_s + 60,
            "priority_steps": [0, BULK],  # the first of all queues come before the second of any
        },
        # A task in hand is finished while the broker is away: what it does is kept in SQL.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_hijack_root_logger=False,
        beat_schedule={
            "sweep": {
                "task": SWEEP,
                "schedule": SWEEP_EVERY_S,
                "options": {"expires": SWEEP_EVERY_S},
            },
            "calibrate": {
                "task": CALIBRATE,
                "schedule": CALIBRATE_EVERY_S,
                "options": {"expires": CALIBRATE_EVERY_S},
            },
            "deliver": {
                "task": DELIVER,
                "schedule": DELIVER_EVERY_S,
                "options": {"expires": DELIVER_EVERY_S},
            },
            "watch": {
                "task": WATCH,
                "schedule": WATCH_EVERY_S,
                "options": {"expires": WATCH_EVERY_S},
            },
            "map": {"task": MAP, "schedule": MAP_EVERY_S, "options": {"expires": MAP_EVERY_S}},
            "reconcile": {
                "task": RECONCILE,
                "schedule": RECONCILE_EVERY_S,
                "options": {"expires": RECONCILE_EVERY_S},
            },
            "see to": {
                "task": SEE_TO,
                "schedule": SEE_TO_EVERY_S,
                "options": {"expires": SEE_TO_EVERY_S},
            },
            "follow": {
                "task": FOLLOW,
                "schedule": FOLLOW_EVERY_S,
                "options": {"expires": FOLLOW_EVERY_S},
            },
            "count": {"task": COUNT, "schedule": COUNT_AT, "options": {"expires": 3600}},
        },
    )
    return app
