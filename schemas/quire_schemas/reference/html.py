"""Writes HTML as text. All text is escaped here, and nowhere else."""

import json
import re
from collections.abc import Iterable
from html import escape
from typing import Any, NamedTuple

_CODE = re.compile(r"`([^`]+)`")


class Page(NamedTuple):
    """Title and links of a page, all relative: `root` leads to the notifier's address, `css` to the style sheet, `other` to the
    other page, `sources` to the documents that the page is made from. `other` and `sources` are pairs of href and text.
    """

    title: str
    root: str
    css: str
    other: tuple[str, str]
    sources: tuple[tuple[str, str], ...]


def tag(name: str, content: str, **attributes: str) -> str:
    """Returns an element. The content is HTML, the attributes are text; `class_` stands for class."""
    written = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>{content}</{name}>"


def prose(text: str) -> str:
    """Returns text as HTML; `words` in backticks become code."""
    return _CODE.sub(r"<code>\1</code>", escape(" ".join(text.split()), quote=False))


def code(text: str) -> str:
    return tag("code", escape(text, quote=False))


def link(href: str, text: str) -> str:
    return tag("a", escape(text, quote=False), href=href)


def heading(level: int, anchor: str, content: str) -> str:
    """Returns a heading that is a link to itself."""
    return tag(f"h{level}", tag("a", content, href=f"#{anchor}", class_="self"), id=anchor)


def listed(items: Iterable[str]) -> str:
    return tag("ul", "\n".join(tag("li", item) for item in items))


def fields(items: Iterable[tuple[str, str]]) -> str:
    """Returns a list of names and their descriptions, both HTML; empty text for no names."""
    rows = "\n".join(tag("div", tag("dt", name) + tag("dd", what)) for name, what in items)
    return tag("dl", rows) if rows else ""


def example(title: str, value: Any) -> str:
    """Returns an example that is collapsed under its title; a value that is no text is shown as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return tag("details", tag("summary", escape(title)) + tag("pre", code(text)))


def page(described: Page, navigation: str, content: str) -> str:
    """Returns the HTML of the whole page."""
    sources = " · ".join(link(href, text) for href, text in described.sources)
    href, text = described.other
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(described.title)}</title>
<link rel="icon" href="{described.root}icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{described.css}">
</head>
<body>
<a class="skip" href="#content">To the content</a>
<header><p>{link(described.root, "Quire")} · {link(href, text)} · {sources}</p></header>
<nav aria-label="On this page">
{navigation}
</nav>
<main id="content" tabindex="-1">
<h1>{escape(described.title)}</h1>
{content}
</main>
</body>
</html>
"""
