"""The processor: turns each `BatchCreated` into documents, artefacts, and events that report the batch's progress."""
