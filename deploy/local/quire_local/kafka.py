"""Apache Kafka in KRaft mode: one process that is broker and controller."""

from __future__ import annotations

import base64
import shutil
import uuid
from pathlib import Path

from quire_local.child import Child
from quire_local.directory import make_private
from quire_local.errors import PartFailed
from quire_local.java import java, java_environment
from quire_local.part import Part
from quire_local.ports import HOST
from quire_local.probe import kafka_answers

LOGGING = Path(__file__).with_name("kafka-log4j2.properties")
HEAP_MB = 512

SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
# From its working directory: Kafka takes a comma in a path for the end of it, and a backslash for an escape.
log.dirs=data
# Topics are made by Quire, with their partitions; a typing error makes none.
auto.create.topics.enable=false
# One broker: nothing can be replicated, and there is no second consumer worth waiting three seconds for.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# After kill -9 a broker is let in again only when its former session is over: 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# Small and quiet: the heap is {heap} MB, and an idle log need not grow twice a second.
log.cleaner.dedupe.buffer.size=16777216
metadata.max.idle.interval.ms=5000
num.network.threads=2
num.io.threads=4
"""


class Kafka(Part):
    def __init__(self, directory: Path, logs: Path, *, port: int, controller_port: int, classpath: str) -> None:
        super().__init__("kafka")
        self._directory, self._logs, self._classpath = directory, logs, classpath
        self._port, self._controller_port = port, controller_port

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self._port}"

    @property
    def _settings(self) -> Path:
        return self._directory / "server.properties"

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    async def prepare(self) -> Child:
        shutil.rmtree(self._directory / "scratch", ignore_errors=True)
        make_private(self._directory)
        self._settings.write_text(SETTINGS.format(host=HOST, port=self._port, controller=self._controller_port, heap=HEAP_MB))
        if not (self._data / "meta.properties").exists():  # the last file that formatting writes
            await self._format()
        return self._child_running("kafka.Kafka", self._settings.name)

    async def is_ready(self) -> bool:
        return await kafka_answers(self._port)

    async def _format(self) -> None:
        arguments = ["format", "--ignore-formatted", "--cluster-id", new_cluster_id(), "--config", self._settings.name]
        formatting = self._child_running("kafka.tools.StorageTool", *arguments)
        await formatting.start()
        try:
            if await formatting.wait() != 0:
                raise PartFailed(self.name, "could not make its data directory", formatting.log, formatting.last_lines())
        finally:
            await formatting.stop()

    def _child_running(self, main: str, *arguments: str) -> Child:
        options = (f"-Dlog4j2.configurationFile={LOGGING}", "-Dlog4j2.disableJmx=true")
        command = java(self._classpath, main, *arguments, heap_mb=HEAP_MB, scratch=self._directory / "scratch", options=options)
        return Child(self.name, command, self._logs / "kafka.log", java_environment(), self._directory)


def new_cluster_id() -> str:
    """Returns a random cluster id in Kafka's form. It does not begin with a dash, which would be taken for an option."""
    while (made := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return made
