"""Quire's contract: events, their meaning (the fold), WebSocket messages and HTTP views."""
