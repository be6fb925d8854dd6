"""WebSocket frames from the server, neither masked nor compressed, so that one frame serves every client (RFC 6455, section
5.2).
"""

_TEXT = 0x81


def text_frame(payload: bytes) -> bytes:
    """Returns a whole text message in one frame. The payload is UTF-8."""
    size = len(payload)
    if size < 126:
        return bytes((_TEXT, size)) + payload
    if size < 65_536:
        return bytes((_TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big") + payload
