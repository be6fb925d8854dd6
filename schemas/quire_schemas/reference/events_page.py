"""Makes the page of the events and of the WebSocket's messages from the AsyncAPI document."""

from typing import Any

from quire_schemas.reference.html import Page, code, example, fields, heading, link, listed, page, prose, tag
from quire_schemas.reference.types import field, schemas, struct

_PAGE = Page(
    "Quire's events and messages",
    "../",
    "reference.css",
    ("../docs", "HTTP"),
    (("asyncapi.json", "AsyncAPI"),),
)


def events_page(document: dict[str, Any]) -> str:
    channels, messages = document["channels"], document["components"]["messages"]
    definitions: dict[str, Any] = document["components"]["schemas"]
    navigation = "".join(
        tag("p", channel["title"], class_="group") + listed(link(f"#{name}", name) for name in channel["messages"])
        for channel in channels.values()
    ) + tag("p", link("#schemas", "Schemas"))
    sections = "".join(_channel(name, document, messages, definitions) for name in channels)
    told = {message["payload"]["$ref"].rpartition("/")[2] for message in messages.values()}
    shared = {name: schema for name, schema in definitions.items() if name not in told and name != "Headers"}
    return page(_PAGE, navigation, sections + heading(2, "schemas", "Schemas") + schemas(shared))


def _channel(name: str, document: dict[str, Any], messages: dict[str, Any], definitions: dict[str, Any]) -> str:
    channel = document["channels"][name]
    operations = [one for one in document["operations"].values() if one["channel"]["$ref"] == f"#/channels/{name}"]
    server = document["servers"][channel["servers"][0]["$ref"].rpartition("/")[2]]
    return "\n".join(
        [
            heading(2, f"channel-{name}", channel["title"]),
            tag("p", f"{code(channel['address'])}, {prose(server['description'])} {code(server['host'])}"),
            tag("p", prose(channel["description"])),
            _headers(channel, messages),
            *(_said(operation) for operation in operations if len(operation["messages"]) < len(channel["messages"])),
            *(_message(each, messages[each], definitions) for each in channel["messages"]),
        ]
    )


def _headers(channel: dict[str, Any], messages: dict[str, Any]) -> str:
    headers = [messages[name]["headers"] for name in channel["messages"] if "headers" in messages[name]]
    if not headers:
        return ""
    shown = {name: of for name, of in headers[0]["properties"].items() if name != "ce_type"}
    required = headers[0]["required"]
    told = fields((code(name), field(of, required=name in required)) for name, of in shown.items())
    return tag("h3", "Headers of every event") + tag("p", f"{code('ce_type')} names the event.") + told


def _said(operation: dict[str, Any]) -> str:
    names = [each["$ref"].rpartition("/")[2] for each in operation["messages"]]
    return tag("p", f"{prose(operation['summary'])} {', '.join(link(f'#{name}', name) for name in names)}")


def _message(name: str, message: dict[str, Any], definitions: dict[str, Any]) -> str:
    reference = message["payload"]["$ref"].rpartition("/")[2]
    return tag(
        "section",
        heading(3, name, code(name))
        + tag("p", prose(message["summary"]))
        + struct(definitions[reference])
        + "".join(example(_title(number, message), _shown(one)) for number, one in enumerate(message["examples"])),
    )


def _title(number: int, message: dict[str, Any]) -> str:
    return "Example" if len(message["examples"]) == 1 else f"Example {number + 1}"


def _shown(one: dict[str, Any]) -> Any:
    return {key: value for key, value in one.items() if key != "summary"} if "headers" in one else one["payload"]
