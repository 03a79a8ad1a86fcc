"""Parts of a message's content, both ways."""

from typing import Any

from web.translation.checked_fields import Object, given, mapping, objects, text, text_in
from web.translation.untranslatable import Untranslatable

_DETAILS = {"low": "low", "high": "high", "original": "high"}
"""Chat knows no `original`. `auto` is what counts when nothing is said, in both APIs."""
_TEXTS = ("input_text", "output_text", "text")
_FILE = ("file_data", "file_url", "file_id", "filename")


def plain(content: Any) -> str | None:
    """The text of content that is nothing but one text, as most is; None for any other."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        part = content[0]
        content = part.get("text") if part.get("type") in _TEXTS else None
    return content if isinstance(content, str) else None


def content_to_chat(content: Any, param: str, *, file_urls: bool = False) -> str | list[Object]:
    """A message's content in chat: a string where there is but one text, as some providers take nothing else."""
    said = plain(content)
    if said is not None:
        return said
    parts = [
        _part_to_chat(part, f"{param}[{n}]", file_urls=file_urls)
        for n, part in enumerate(objects(content or [], param))
    ]
    if not parts:
        return ""
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _part_to_chat(part: Object, param: str, *, file_urls: bool) -> Object:
    match part.get("type"):
        case kind if kind in _TEXTS:
            return {"type": "text", "text": text_in(part, "text", param)}
        case "input_image":
            return _image_to_chat(part, param)
        case "input_file":
            return _file_to_chat(part, param, file_urls=file_urls)
        case "input_audio":
            return {
                "type": "input_audio",
                "input_audio": mapping(part.get("input_audio") or {}, f"{param}.input_audio"),
            }
    raise Untranslatable(f"{param} is of type {part.get('type')!r}, which the provider does not take", param=param)


def _image_to_chat(part: Object, param: str) -> Object:
    if not isinstance(part.get("image_url"), str):
        message = f"{param} is an input_image without image_url; the provider takes an address or a data URL only"
        raise Untranslatable(message, param=param)
    image = {"url": part["image_url"]}
    detail = _DETAILS.get(str(part.get("detail")))
    return {"type": "image_url", "image_url": {**image, "detail": detail} if detail else image}


def _file_to_chat(part: Object, param: str, *, file_urls: bool) -> Object:
    if part.get("file_url") and not file_urls:
        raise Untranslatable(f"{param} is an input_file by its address; send it as file_data", param=param)
    file = {name: part[name] for name in _FILE if part.get(name)}
    if not file.keys() - {"filename"}:
        raise Untranslatable(f"{param} is an input_file without file_data, file_url or file_id", param=param)
    return {"type": "file", "file": file}


def content_from_chat(content: Any, param: str) -> str | list[Object]:
    """The content of a system, developer, user or tool message as the Responses API takes it."""
    if isinstance(content, str):
        return content
    return [_part_from_chat(part, f"{param}[{n}]") for n, part in enumerate(objects(content or [], param))]


def _part_from_chat(part: Object, param: str) -> Object:
    marked = given(prompt_cache_breakpoint=part.get("prompt_cache_breakpoint"))
    match part.get("type"):
        case "text":
            return {"type": "input_text", "text": text_in(part, "text", param), **marked}
        case "image_url":
            image = mapping(part.get("image_url") or {}, f"{param}.image_url")
            detail = image.get("detail") or "auto"
            return {
                "type": "input_image",
                "image_url": text(image.get("url"), f"{param}.image_url.url"),
                "detail": detail,
                **marked,
            }
        case "file":
            file = mapping(part.get("file") or {}, f"{param}.file")
            return {"type": "input_file", **{name: file[name] for name in _FILE if file.get(name)}, **marked}
    raise Untranslatable(
        f"{param} is of type {part.get('type')!r}, which the Responses API does not take", param=param
    )


def said_from_chat(content: Any, param: str) -> str | list[Object]:
    """The content of an assistant's message as the Responses API takes it: its own parts are of type output_text."""
    if isinstance(content, str):
        return content
    parts = []
    for place, part in enumerate(objects(content or [], param)):
        path = f"{param}[{place}]"
        match part.get("type"):
            case "text":
                parts.append({"type": "output_text", "text": text_in(part, "text", path), "annotations": []})
            case "refusal":
                parts.append({"type": "refusal", "refusal": text_in(part, "refusal", path)})
            case other:
                raise Untranslatable(f"{path} is of type {other!r}; an assistant says text", param=path)
    return parts
