"""How long a service takes from the start of its container until it is ready: restarted under load, one container after the
other, of a Compose project that is up. Prints a table. Run it where the containers' own addresses can be reached, as on Linux.

    export COMPOSE_FILE=deploy/compose.yaml
    docker compose up --wait --scale processor=3
    .venv/bin/python bench/starts.py [--restarts 10] [--services processor]
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.samples_pdf import slow_pdf

OPS_PORTS = {"ingest": 9100, "notifier": 9101, "processor": 9111}
FILES_WAITING = 100
"""What the load keeps the processors busy with, of PAGES each."""
PAGES = 20
LOOK_SECONDS = 0.02
SETTLED_SECONDS = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--services", nargs="+", default=list(OPS_PORTS), choices=OPS_PORTS)
    options = parser.parse_args()
    threading.Thread(target=load, args=(options.url,), daemon=True).start()
    for service in options.services:
        containers = docker("compose", "ps", "--quiet", service).split()
        took = [restarted(service, containers[n % len(containers)]) for n in range(options.restarts)]
        each = " ".join(f"{one:.1f}" for one in sorted(took))
        print(
            f"{service}, one of {len(containers)}: {statistics.median(took):.1f} s, at most {max(took):.1f} ({each})", flush=True
        )


def restarted(service: str, container: str) -> float:
    """Seconds from the start of the container until /readyz says 200."""
    docker("restart", container)
    state: Any = json.loads(docker("inspect", container))[0]
    [network] = [one for name, one in state["NetworkSettings"]["Networks"].items() if name.endswith("back")]
    address = f"http://{network['IPAddress']}:{OPS_PORTS[service]}/readyz"
    began = datetime.fromisoformat(state["State"]["StartedAt"]).timestamp()
    while not answers(address):
        time.sleep(LOOK_SECONDS)
    took = time.time() - began
    time.sleep(SETTLED_SECONDS)
    return took


def answers(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(address, timeout=2, trust_env=False).status_code == httpx.codes.OK
    return False


def load(url: str) -> None:
    """Keeps files waiting, whatever is being restarted."""
    parts = [("files", (f"{n}.pdf", slow_pdf(str(n), PAGES), "application/pdf")) for n in range(25)]
    query = {"collection_id": "starts"}
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        while True:
            time.sleep(0.5)
            with contextlib.suppress(httpx.HTTPError):
                batches = client.get("/api/batches", params={**query, "limit": 100}).raise_for_status().json()["items"]
                if sum(one["total"] for one in batches if not one["ended_at"]) < FILES_WAITING:
                    client.post("/api/documents/process", params=query, files=parts)


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
