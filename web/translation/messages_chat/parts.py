"""Text, images and documents: content blocks of the Messages API as content parts of chat, and back."""

import base64
import binascii
import re
from typing import Any

from web.translation.capabilities import Features
from web.translation.checked_fields import Object, given, mapping, objects, text, text_in
from web.translation.untranslatable import Untranslatable

UNNAMED = "document.pdf"
"""The name that a document without a title gets in chat, where a file with data needs one."""

_PLAIN = 2
"""How many fields a part has that says nothing besides what it is."""
_DATA_URL = re.compile(r"data:([^;,]+)(?:;[^;,]+)*;base64,(.*)", re.DOTALL | re.IGNORECASE)


def chat_parts(block: Object, path: str, features: Features) -> list[Object]:
    """A block as parts; raises Untranslatable when chat has none for it."""
    match block.get("type"):
        case "text":
            return [text_part(text_in(block, "text", path))]
        case "image":
            return [_image_part(mapping(block.get("source"), f"{path}.source"), path)]
        case "document":
            return _document_parts(block, path, features)
        case "search_result":
            return [text_part(_search_result(block, path))]
        case kind:
            raise Untranslatable(
                f"{path} is a block of type {kind!r}, which the Chat Completions API does not have; "
                "send text, images or documents, or ask for a model whose provider has the Messages API",
                param=path,
            )


def text_part(content: str) -> Object:
    """A text as it is spelled in both APIs."""
    return {"type": "text", "text": content}


def content_of(parts: list[Object]) -> str | list[Object]:
    """Parts as a message's content: a single text is a string, which every provider takes."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts


def blocks_of(content: Any, path: str, *, nullable: bool = False) -> list[Object]:
    """A message's content as the list of objects that a plain string stands for."""
    if isinstance(content, str):
        return [text_part(content)]
    if content is None and nullable:
        return []
    return objects(content, path)


def _image_part(source: Object, path: str) -> Object:
    match source.get("type"):
        case "base64":
            url = _data_url(source, path)
        case "url":
            url = text(source.get("url"), f"{path}.source.url")
        case kind:
            raise Untranslatable(
                f"{path} is an image by {kind!r}, which belongs to its provider; send it as base64 or by its URL",
                param=path,
            )
    return {"type": "image_url", "image_url": {"url": url}}


def _document_parts(block: Object, path: str, features: Features) -> list[Object]:
    source = mapping(block.get("source"), f"{path}.source")
    title = block.get("title") or None
    match source.get("type"):
        case "base64":
            return [*_heading(None, block), _file(title, file_data=_data_url(source, path))]
        case "url" if features.file_urls:
            return [*_heading(None, block), _file(title, file_url=text(source.get("url"), f"{path}.source.url"))]
        case "text":
            return [*_heading(title, block), text_part(text(source.get("data"), f"{path}.source.data"))]
        case "content":
            inner = blocks_of(source.get("content"), f"{path}.source.content")
            parts = [chat_parts(each, f"{path}.source.content[{n}]", features) for n, each in enumerate(inner)]
            return [*_heading(title, block), *(part for some in parts for part in some)]
        case kind:
            raise Untranslatable(
                f"{path} is a document by {kind!r}, which the Chat Completions API does not take; send it as base64",
                param=path,
            )


def _heading(title: Any, block: Object) -> list[Object]:
    """What a document says of itself and chat has no field for."""
    said = [each for each in (title, block.get("context")) if isinstance(each, str) and each]
    return [text_part("\n".join(said))] if said else []


def _file(title: Any, **where: str) -> Object:
    return {"type": "file", "file": {"filename": title if isinstance(title, str) else UNNAMED, **where}}


def _search_result(block: Object, path: str) -> str:
    said = [text(each.get("text"), path) for each in objects(block.get("content"), f"{path}.content")]
    return "\n".join([str(block.get("title") or ""), str(block.get("source") or ""), *said])


def _data_url(source: Object, path: str) -> str:
    media = text(source.get("media_type"), f"{path}.source.media_type")
    return f"data:{media};base64,{text(source.get('data'), f'{path}.source.data')}"


def message_blocks(part: Object, path: str) -> list[Object]:
    """A part as blocks, none for a blank text; raises Untranslatable when the Messages API has none for it."""
    match part.get("type"):
        case "text" | "refusal" as kind:
            block = text_part(text_in(part, kind, path))
        case "image_url":
            block = _image_block(part.get("image_url"), path)
        case "file":
            block = _file_block(mapping(part.get("file"), f"{path}.file"), path)
        case kind:
            raise Untranslatable(
                f"{path} is a part of type {kind!r}, which the Messages API does not have; "
                "send text, images or files",
                param=path,
            )
    if "text" in block and not block["text"].strip():  # the API refuses it, empty or not
        return []
    if len(part) > _PLAIN:
        _mark_as(block, part)
    return [block]


def _mark_as(block: Object, part: Object) -> None:
    """Where the client itself ends a prefix to be cached, said in Anthropic's field or in OpenAI's."""
    if part.get("cache_control") is not None:
        block["cache_control"] = part["cache_control"]
    elif part.get("prompt_cache_breakpoint"):
        block["cache_control"] = {"type": "ephemeral"}


def _image_block(image: Any, path: str) -> Object:
    url = text(image.get("url") if isinstance(image, dict) else image, f"{path}.image_url.url")
    return {"type": "image", "source": _source(url, f"{path}.image_url")}


def _file_block(file: Object, path: str) -> Object:
    where = file.get("file_data") or file.get("file_url")
    if not isinstance(where, str):
        raise Untranslatable(
            f"{path} is a file by its id, which belongs to its provider; send its data as a data URL", param=path
        )
    source = _source(where, f"{path}.file.file_data")
    if str(source.get("media_type", "")).startswith("image/"):
        return {"type": "image", "source": source}
    if source.get("media_type") == "text/plain":
        source = {"type": "text", "media_type": "text/plain", "data": _decoded(source["data"], path)}
    elif source.get("media_type", "application/pdf") != "application/pdf":
        raise Untranslatable(
            f"{path} is a file of {source['media_type']}; the Messages API takes PDF and text", param=path
        )
    name = file.get("filename")
    return {"type": "document", "source": source, **given(title=None if name == UNNAMED else name)}


def _source(url: str, path: str) -> Object:
    found = _DATA_URL.match(url)
    if found:
        return {"type": "base64", "media_type": found[1].lower(), "data": found[2]}
    if not url.startswith(("http://", "https://")):
        raise Untranslatable(f"{path} is neither a URL nor a data URL in base64", param=path)
    return {"type": "url", "url": url}


def _decoded(data: str, path: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        raise Untranslatable(f"{path} says that it is text in base64, and is not", param=path) from None
