"""S3Proxy over a directory: the S3 server of the local stack."""

from __future__ import annotations

import shutil
from pathlib import Path

from quire_local.child import Child
from quire_local.directory import make_private, write_whole
from quire_local.java import java, java_environment, property_value
from quire_local.part import Part
from quire_local.ports import HOST
from quire_local.probe import http_get

HEAP_MB = 384
QUIET = "-Dlogback.statusListenerClass=ch.qos.logback.core.status.NopStatusListener"

SETTINGS = """\
s3proxy.endpoint=http://{host}:{port}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity={access_key}
s3proxy.credential={secret_key}
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir={data}
"""


class S3(Part):
    def __init__(self, directory: Path, logs: Path, *, port: int, access_key: str, secret_key: str, classpath: str) -> None:
        super().__init__("s3")
        self._directory, self._logs, self._classpath, self._port = directory, logs, classpath, port
        self.access_key, self.secret_key = access_key, secret_key

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self._port}"

    async def prepare(self) -> Child:
        scratch, data, settings = self._directory / "scratch", self._directory / "data", self._directory / "s3proxy.properties"
        shutil.rmtree(scratch, ignore_errors=True)
        make_private(self._directory)
        data.mkdir(exist_ok=True)
        keys = {"access_key": self.access_key, "secret_key": self.secret_key}
        text = SETTINGS.format(host=HOST, port=self._port, data=property_value(data), **keys)
        write_whole(settings, text)
        main = "org.gaul.s3proxy.Main"
        command = java(self._classpath, main, "--properties", settings.name, heap_mb=HEAP_MB, scratch=scratch, options=(QUIET,))
        return Child(self.name, command, self._logs / "s3.log", java_environment(), self._directory)

    async def is_ready(self) -> bool:
        """Returns whether S3Proxy answers. It refuses an unsigned request, which is an answer, too."""
        return await http_get(self._port) is not None
