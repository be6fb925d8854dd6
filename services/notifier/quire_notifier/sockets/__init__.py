"""WebSockets: handshakes, protocols, and the bytes on the wire."""
