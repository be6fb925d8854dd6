"""Which container images are here: nothing is pulled for a test."""

import subprocess
from functools import cache

REPOSITORIES = KAFKA, POSTGRES, S3 = "apache/kafka", "postgres", "chrislusf/seaweedfs"


@cache
def images() -> dict[str, str]:
    """Repository → the newest image of it that the engine has; empty when one is missing, or there is no engine."""
    command = ["docker", "image", "ls", "--format", "{{.Repository}} {{.Tag}}"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    newest_last = [line.split() for line in reversed(listed.splitlines())]
    found = {repository: f"{repository}:{tag}" for repository, tag in newest_last if repository in REPOSITORIES}
    return found if len(found) == len(REPOSITORIES) else {}
