"""Runs Kafka, Postgres and S3 on this machine, from registry packages alone, for `quire up` and the integration tests.

Linux and macOS. Nothing is installed outside the Python environment; Kafka's and S3Proxy's jars are kept in the user's cache.
"""

from quire_local.errors import LocalError
from quire_local.ports import Ports
from quire_local.stack import LocalStack

__all__ = ["LocalError", "LocalStack", "Ports"]
