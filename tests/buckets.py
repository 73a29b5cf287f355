"""A real S3 interface over HTTP on loopback: moto's server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def running_s3() -> Iterator[str]:
    """Serve an empty bucket; yield its URL, with the environment that leads there."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    there = ENVIRONMENT | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    try:
        with patch.dict(os.environ, there):
            boto3.client("s3").create_bucket(Bucket="works")
            yield "s3://works"
    finally:
        server.stop()
