"""WebSockets: their handshakes, their protocols, and the bytes on the wire."""
