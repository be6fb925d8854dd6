"""`python -m quire_runtime.health`: exits with code 0 when the service in this container is ready. Docker's HEALTHCHECK runs
it.

It imports as little as possible, because it runs every few seconds.
"""

import http.client
import os
import sys

PATIENCE_SECONDS = 4.0


def main() -> int:
    """Requests /readyz on QUIRE_OPS_PORT, prints the answer, and returns the exit code."""
    port = int(os.environ.get("QUIRE_OPS_PORT") or 0)
    if not port:
        sys.stderr.write("QUIRE_OPS_PORT is not set: it says where to ask\n")
        return 1
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        sys.stdout.write(answer.read().decode())
    except OSError as error:
        sys.stderr.write(f"nobody answers on the ops port {port}: {error}\n")
        return 1
    finally:
        connection.close()
    return 0 if answer.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
