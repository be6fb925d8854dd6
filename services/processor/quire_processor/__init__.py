"""From `BatchCreated` to documents, artefacts, and events that say how it goes."""
