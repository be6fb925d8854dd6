"""What `helm test` runs: three PDFs go in, two are processed, and the damaged one fails alone.

Exit code 0 when exactly that is seen, else 1 and what was seen instead.
"""  # noqa: INP001 -- a file of a chart, not of a package

import json
import subprocess
import sys
from pathlib import Path

EXPECTED = {"one.pdf": ("processed", None), "two.pdf": ("processed", None), "damaged.pdf": ("failed", "corrupt")}


def main() -> int:
    here = Path(__file__).parent
    command = ["quire", "submit", "--json", "--collection", "helm-test", *(str(here / name) for name in EXPECTED)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 -- fixed but for our own path
    results = [line for line in map(json.loads, done.stdout.splitlines()) if line.get("type") == "RESULT"]
    if not results:
        sys.stdout.write(f"quire submit ended with {done.returncode} and without a result\n")
        return 1
    result = results[0]
    counts = {name: result[name] for name in ("accepted", "processed", "failed", "cancelled")}
    statuses = [batch["status"] for batch in result["batches"]]
    files = {file["filename"]: (file["status"], file["error_code"]) for batch in result["batches"] for file in batch["files"]}
    exact = (
        done.returncode == 1  # a file failed, as it has to
        and counts == {"accepted": 3, "processed": 2, "failed": 1, "cancelled": 0}
        and not result["rejected"]
        and statuses == ["completed_with_errors"]
        and files == EXPECTED
    )
    seen = f"exit code {done.returncode}, {counts}, rejected {result['rejected']}, batches {statuses}, {files}"
    sys.stdout.write(f"{'As' if exact else 'NOT as'} it has to be: {seen}\n")
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
