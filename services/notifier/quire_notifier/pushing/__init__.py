"""Pushes the feed from its table to every subscriber. Each message is read once, and encoded once for each encoding."""
