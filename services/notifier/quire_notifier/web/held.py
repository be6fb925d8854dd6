"""A streamed answer that holds a resource of ours until it ends."""

from collections.abc import AsyncGenerator, Callable, Mapping

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class HeldResponse(StreamingResponse):
    """Calls `release` once and closes the body when the answer ends in any way, also if it never began."""

    def __init__(
        self,
        content: AsyncGenerator[bytes, None],
        status: int,
        headers: Mapping[str, str],
        media_type: str,
        release: Callable[[], None],
    ) -> None:
        super().__init__(content, status, headers, media_type)
        self._content = content
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._release()
            await self._content.aclose()
