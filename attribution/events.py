"""What webhooks can be told, and where a delivery stands."""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    """What can be told."""

    JOB_ENDED = "job.ended"  # an ingest, a batch of lookups, a drawing: done, failed or cancelled
    COPY_FOUND = "attribution.copy"  # an image that was looked up shows a registered work
    WITHDRAWN = "withdrawal.completed"  # nothing is left anywhere
    TEST = "webhook.test"  # asked for, to see whether it arrives; needs no asking for


class After(StrEnum):
    """When a webhook is told that an image shows a registered work."""

    FOUND = "found"  # at once
    REVIEW = "review"  # when people have decided so in a case


class DeliveryStatus(StrEnum):
    """Where a delivery stands; those that were given up can be sent again by hand."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
