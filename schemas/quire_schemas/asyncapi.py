"""Makes the AsyncAPI 3.0 document of the topic and the WebSocket, for integrators and their generators."""

from importlib.metadata import version
from typing import Any

import msgspec
from msgspec import Struct

from quire_schemas import examples
from quire_schemas.cloudevents import CONTENT_TYPE, MAX_ATTRIBUTE_BYTES, encode
from quire_schemas.events import TYPES, BatchCancelRequested, BatchCreated, BatchRetryRequested, Event
from quire_schemas.fields import CollectionId, Id
from quire_schemas.json_schemas import CLIENT_MESSAGES, SERVER_MESSAGES, Schema, components
from quire_schemas.messages import ClientMessage, ServerMessage, Subscribe

TOPIC = "quire.batches"
PARTITIONS = 24
_APPENDED_BY_INGEST = (BatchCreated, BatchCancelRequested, BatchRetryRequested)
_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_ATTRIBUTE_BYTES}


def document() -> dict[str, Any]:
    structs = [*TYPES.values(), *CLIENT_MESSAGES.values(), *SERVER_MESSAGES.values()]
    _, definitions = components(structs, "#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Quire",
            "version": version("quire-schemas"),
            "description": "Batches of PDF files: the events of the log, and the WebSocket messages that show progress live.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "log": {"host": "127.0.0.1:9092", "protocol": "kafka", "description": "The Kafka of the local stack."},
            "notifier": {"host": "127.0.0.1:8000", "protocol": "ws", "description": "The notifier of the local stack."},
        },
        "channels": {TOPIC: _topic(), "ws": _websocket()},
        "operations": _operations(),
        "components": {
            "messages": {**_event_messages(), **_socket_messages()},
            "schemas": dict(sorted(({"Headers": _headers()} | definitions).items())),
        },
    }


def _topic() -> dict[str, Any]:
    return {
        "address": TOPIC,
        "title": "The log of batches",
        "description": (
            "CloudEvents 1.0 in Kafka's binary mode. Attributes are headers that begin with ce_. The value is a JSON object. The "
            "key is the batch id. The key's murmur2 hash chooses the partition, as Java and aiokafka do by default (librdkafka: "
            "partitioner=murmur2_random). Readers ignore events in a wrong partition. The events of a batch are in order: "
            "earlier ones decide what a later one means. Fold them as `quire_schemas.batch.evolve` does. Ignore unknown fields, "
            "and skip unknown types."
        ),
        "servers": [{"$ref": "#/servers/log"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in TYPES},
        "bindings": {
            "kafka": {
                "topic": TOPIC,
                "partitions": PARTITIONS,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": -1, "retention.bytes": -1},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _websocket() -> dict[str, Any]:
    subscribe = msgspec.json.schema_components([Subscribe])[1]["Subscribe"]["properties"]
    query = {name: subscribe[name] for name in ("collection_id", "after", "epoch")}
    return {
        "address": "/ws",
        "title": "The feed",
        "description": (
            "Messages are JSON text frames. If the query has `collection_id`, the socket is subscribed to it from the start. "
            "After close code 3001 (the notifier stops), 3004 (not available now), 3008 (too slow) or 3013 (too many), connect "
            "again with `after`. After 3500 (not authenticated), 3501 (bad message) or 3503 (forbidden), do not."
        ),
        "servers": [{"$ref": "#/servers/notifier"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in CLIENT_MESSAGES | SERVER_MESSAGES},
        "bindings": {
            "ws": {"method": "GET", "query": {"type": "object", "properties": query}, "bindingVersion": "0.1.0"},
        },
    }


def _operations() -> dict[str, Any]:
    by_ingest = [name for name, struct in TYPES.items() if struct in _APPENDED_BY_INGEST]
    by_processor = [name for name in TYPES if name not in by_ingest]
    return {
        "ingestAppends": _operation("send", TOPIC, by_ingest, "Ingest appends uploads and commands."),
        "processorAppends": _operation("send", TOPIC, by_processor, "A processor appends progress and outcomes."),
        "readersFold": _operation("receive", TOPIC, list(TYPES), "Processors, notifiers and other readers fold every event."),
        "clientsAsk": _operation("receive", "ws", list(CLIENT_MESSAGES), "A client sends these messages."),
        "notifierTells": _operation("send", "ws", list(SERVER_MESSAGES), "The notifier sends these messages."),
    }


def _operation(action: str, channel: str, names: list[str], summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
    }


def _event_messages() -> dict[str, Any]:
    told: dict[str, list[Event]] = {name: [] for name in TYPES}
    for event in examples.events():
        told[event.type].append(event)
    return {
        name: {
            **_message(name, struct),
            "headers": {**_headers(), "properties": {**_headers()["properties"], "ce_type": {"type": "string", "const": name}}},
            "bindings": {"kafka": {"key": _schema_of(Id), "bindingVersion": "0.5.0"}},
            "examples": [_event_example(event) for event in told[name]],
        }
        for name, struct in TYPES.items()
    }


def _socket_messages() -> dict[str, Any]:
    said: dict[str, list[ClientMessage | ServerMessage]] = {name: [] for name in CLIENT_MESSAGES | SERVER_MESSAGES}
    for message in (*examples.client_messages(), *examples.server_messages()):
        said[str(type(message).__struct_config__.tag)].append(message)
    return {
        name: {**_message(name, struct), "examples": [{"payload": _as_json(message)} for message in said[name]]}
        for name, struct in (CLIENT_MESSAGES | SERVER_MESSAGES).items()
    }


def _message(name: str, struct: type[Struct]) -> dict[str, Any]:
    return {
        "name": name,
        "title": struct.__name__,
        "summary": " ".join((struct.__doc__ or "").split()),
        "contentType": CONTENT_TYPE,
        "payload": {"$ref": f"#/components/schemas/{struct.__name__}"},
    }


def _event_example(event: Event) -> dict[str, Any]:
    record = encode(event)
    return {
        "summary": f"Key {record.key.decode()}",
        "headers": {name: value.decode() for name, value in record.headers},
        "payload": msgspec.json.decode(record.value),
    }


def _headers() -> Schema:
    return {
        "title": "Headers",
        "description": "The attributes of the CloudEvent, as UTF-8 text.",
        "type": "object",
        "properties": {
            "ce_specversion": {"type": "string", "const": "1.0"},
            "ce_id": {**_TEXT, "description": "The id of the event. An event that is sent again has the same id."},
            "ce_type": {"type": "string", "enum": list(TYPES)},
            "ce_source": {**_TEXT, "description": "The service that appended the event, such as /quire/processor/processor-1."},
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_subject": {**_schema_of(Id), "description": "The batch id, the same as the key."},
            "ce_collectionid": {**_schema_of(CollectionId), "description": "The collection of the batch."},
            "ce_traceparent": {**_TEXT, "description": "The W3C trace context, if the event is traced."},
            "content-type": {"type": "string", "const": CONTENT_TYPE},
        },
        "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_collectionid"],
    }


def _schema_of(type_: object) -> Schema:
    return msgspec.json.schema(type_)


def _as_json(message: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(message))
