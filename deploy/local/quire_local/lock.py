"""`python -m quire_local.lock` pins the jars again, after a version in this file was changed. It is for Quire's developers."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from quire_local.jars import LOCK_FILE, Jar, maven, sha256_of

KAFKA = "org.apache.kafka:kafka_2.13:jar:4.4.0"
KAFKA_LOGS = "org.apache.logging.log4j:log4j-slf4j-impl:jar:2.25.5"
S3PROXY = "org.gaul:s3proxy:jar:jar-with-dependencies:4.1.0"

HEADER = "# sha256, bytes, part, coordinate. Made by python -m quire_local.lock\n"


def resolve(repository: Path) -> Iterator[Jar]:
    """Yields Kafka's jar and the jars that it needs at run time, the bridge to its logs, and S3Proxy, which is one jar."""
    context = maven(repository, lambda _received: None)
    named, needed = context.resolver.resolve([context.create_dependency(KAFKA)])
    bridge, s3proxy = context.create_dependency(KAFKA_LOGS), context.create_dependency(S3PROXY)
    for part, dependency in [*(("kafka", each) for each in (*named, *needed, bridge)), ("s3", s3proxy)]:
        artifact = dependency.artifact
        path = artifact.resolve()
        coordinate = [artifact.groupId, artifact.artifactId, "jar", artifact.classifier, artifact.version]
        yield Jar(sha256_of(path), path.stat().st_size, part, ":".join(filter(None, coordinate)))


def main() -> None:
    with tempfile.TemporaryDirectory() as repository:
        jars = sorted(resolve(Path(repository)), key=lambda jar: (jar.part, jar.coordinate))
    LOCK_FILE.write_text(HEADER + "".join(f"{jar.sha256} {jar.size:>9} {jar.part:<5} {jar.coordinate}\n" for jar in jars))
    sys.stdout.write(f"{len(jars)} jars, {sum(jar.size for jar in jars) / 1e6:.0f} MB, pinned in {LOCK_FILE}\n")


if __name__ == "__main__":
    main()
