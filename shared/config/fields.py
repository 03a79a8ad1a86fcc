"""What a setting may be: the kinds of its values, each with the words that say what would be right."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from shared.config.reading.environment import Filled
from shared.outgoing import holds_certificates

T = TypeVar("T")
_DURATION = re.compile(r"([0-9]{1,8}(?:\.[0-9]+)?)(ms|s|m|h)?")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_DAY_S = 86400.0
_USERINFO = re.compile(r"^([a-z+]+://)?.*@", re.DOTALL)  # to the last @: a password may hold anything
_QUERY = re.compile(r"\?.*", re.DOTALL)
_PLACEHOLDERS = ("{routes}", "{conversation}")


def without_credentials(url: str) -> str:
    """The URL as it may be shown: `redis://:secret@host?password=secret` is `redis://***@host?***`."""
    return _QUERY.sub("?***", _USERINFO.sub(r"\1***@", url))


def url_fault(url: str, *, query: bool = False) -> tuple[str, str] | None:
    """What is wrong with a URL and what would be right, or None; `query` says whether it may have one."""
    try:
        parts = urlsplit(url)
        if not parts.hostname and parts.scheme != "unix":
            return "names no host", "it is scheme://host, with port and path as needed"
        if parts.port == 0:
            raise ValueError  # noqa: TRY301 - as for any other port out of range
    except ValueError:
        return "has no valid host and port", "a port is a number from 1 to 65535"
    if parts.fragment or (parts.query and not query):
        return "has a query or a fragment", "it ends with the path"
    return None


def api_base(url: str) -> str:
    """The base of an OpenAI-compatible API, without a trailing slash; no path means /v1."""
    base = url.rstrip("/")
    return base if urlsplit(base).path else f"{base}/v1"


class Missing:
    """Stands where a setting is missing, so that it is told what would be right there."""


class Unknown:
    """Stands where a setting is unknown; carries the names that are known."""

    def __init__(self, known: Sequence[str]) -> None:
        self.known = known


class Section(BaseModel):
    """A mapping in the file. An empty value counts as absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _mark(cls, data: Any) -> Any:
        """Have pydantic stumble over what is missing or unknown as over a wrong value, which can say more."""
        if not isinstance(data, dict):
            return data
        fields = {field.alias or name: field for name, field in cls.model_fields.items()}
        given = {
            name: value if name in fields else Unknown([*fields]) for name, value in data.items() if value is not None
        }
        return {name: Missing() for name, field in fields.items() if field.is_required()} | given

    def __repr_args__(self) -> Any:
        """Every field but the secret ones; a URL without its credentials."""
        for name, value in super().__repr_args__():
            yield name, without_credentials(value) if isinstance(value, str) and "://" in value else value


@dataclass(frozen=True)
class Is:
    """One error for whatever is wrong with a value.

    `words` end a sentence that begins with "it is". `show` says what may be shown of a wrong value: all, nothing, or
    only a number.
    """

    words: str
    show: Literal["all", "numbers", "nothing"] = "all"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of the type, but for its errors; a number or a flag may be the text of a variable."""
        schema = handler(source)
        if source in (bool, int, float):
            schema = core_schema.no_info_before_validator_function(_from_variable(source), schema)
        return core_schema.custom_error_schema(
            schema,
            custom_error_type="wrong_value",
            custom_error_message=self.words,
            custom_error_context={"show": self.show},
        )


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds."""

    low: int
    high: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """An integer that is told with both bounds."""
        bounds = f"of at least {self.low}" if self.high is None else f"from {self.low} to {self.high}"
        words = Is(f"a whole number {bounds}", show="numbers")
        return handler.generate_schema(Annotated[int, Field(ge=self.low, le=self.high, strict=True), words])


def _from_variable(kind: type) -> Any:
    def read(value: Any) -> Any:
        try:
            return msgspec.convert(str(value), kind, strict=False) if isinstance(value, Filled) else value
        except msgspec.ValidationError:
            return value

    return read


def refused(wrong: str, right: str) -> PydanticCustomError:
    """The error of a validator that says itself what is wrong and what would be right."""
    return PydanticCustomError("refused", "{wrong}; {right}", {"wrong": wrong, "right": right})


def _seconds(value: Any) -> Any:
    """How long `300s`, `500ms`, `5m`, `1h` or a plain number of seconds is."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return float(found[1]) * _UNITS_S[found[2]] if found else value


def _checked_url(url: str, *, query: bool = False) -> str:
    if fault := url_fault(url, query=query):
        raise refused(*fault)
    return url


def _prompt_file(name: str, info: ValidationInfo) -> str:
    """The prompt's path; a relative one starts at the folder in the validation context."""
    path = Path(info.context or ".") / name
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError):
        right = "it is a text file in UTF-8, its path starting at the config file"
        raise refused("cannot be read", right) from None
    if not all(placeholder in text for placeholder in _PLACEHOLDERS):
        raise refused("lacks a placeholder", f"its text holds {' and '.join(_PLACEHOLDERS)}")
    return str(path)


def _ca_file(name: str, info: ValidationInfo) -> str:
    """The file's path; a relative one starts at the folder in the validation context."""
    path = str(Path(info.context or ".") / name)
    if not holds_certificates(path):
        raise refused("cannot be used", "it is a file of certificates in PEM, its path starting at the config file")
    return path


def _price_file(name: str, info: ValidationInfo) -> str:
    """The file's path; a relative one starts at the folder in the validation context."""
    path = Path(info.context or ".") / name
    if not path.is_file():
        raise refused("is not there", "it is a file of prices, its path starting at the config file")
    return str(path)


def _digest(_source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    secret = handler.generate_schema(Secret)
    return core_schema.no_info_after_validator_function(lambda key: hashlib.sha256(key.encode()).digest(), secret)


_AS_TUPLE = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
Items = Annotated[tuple[T, ...], _AS_TUPLE]
"""A list in the file; as a value it cannot be changed."""
Apis = Annotated[
    tuple[Literal["chat", "messages", "responses"], ...],
    Field(min_length=1),
    _AS_TUPLE,
    Is("a list of chat, messages and responses"),
]
SessionSources = Annotated[
    tuple[Literal["headers", "agents", "body"], ...], _AS_TUPLE, Is("a list of headers, agents and body")
]
AutoOrOff = Annotated[
    Literal["auto", "off"],
    BeforeValidator(
        lambda value: "off" if value is False else value,  # what YAML makes of an off without quotes
        json_schema_input_type=Literal["auto", "off", False],
    ),
    Is("auto or off"),
]
Positive = Annotated[int, Whole(1)]
Flag = Annotated[bool, Is("true or false", show="numbers")]
Percent = Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False), Is("a number from 0 to 100", show="numbers")]
_DurationInFile = Annotated[str, Field(pattern=f"^{_DURATION.pattern}$")] | Annotated[float, Field(gt=0.0, le=_DAY_S)]
Duration = Annotated[
    float,
    Field(gt=0.0, le=_DAY_S, allow_inf_nan=False),
    BeforeValidator(_seconds, json_schema_input_type=_DurationInFile),
    Is("a time above 0 and up to 24h, such as 300s, 500ms, 5m, or a number of seconds"),
]
Version = Annotated[
    str,
    Field(pattern=r"^v?0\.[1-4](\.[0-9]+)?(-[0-9A-Za-z_]+)?$"),
    Is("v0.1 to v0.4.0"),
    BeforeValidator(
        lambda value: str(value) if isinstance(value, float) else value, json_schema_input_type=str | float
    ),
]
Text = Annotated[str, Field(pattern=r"\S"), Is("a text that is not blank")]
Secret = Annotated[
    str,
    Field(pattern="^[!-~]+$"),  # it travels in a header
    Is("a text of printable ASCII without spaces, quoted if it is a number", show="nothing"),
]
SecretDigest = Annotated[bytes, GetPydanticSchema(_digest)]
HeaderName = Annotated[
    str, Field(pattern="^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"), Is("the name of an HTTP header")  # RFC 9110, 5.6.2
]
HeaderValue = Annotated[
    str, Field(pattern="^[ -~]*$"), Is("a text of printable ASCII, quoted if it is a number", show="nothing")
]
_Http = Annotated[str, Field(pattern="^https?://"), Is("a URL that starts with http:// or https://")]
Url = Annotated[_Http, AfterValidator(_checked_url)]
UrlWithQuery = Annotated[_Http, AfterValidator(partial(_checked_url, query=True))]
ApiUrl = Annotated[_Http, AfterValidator(lambda url: api_base(_checked_url(url)))]
RedisUrl = Annotated[
    str,
    Field(pattern="^(rediss?|unix)://"),
    Is("a URL that starts with redis://, rediss:// or unix://"),
    AfterValidator(partial(_checked_url, query=True)),
]
PromptFile = Annotated[Text, AfterValidator(_prompt_file)]
PriceFile = Annotated[Text, AfterValidator(_price_file)]
CaFile = Annotated[Text, AfterValidator(_ca_file)]
ModelName = Annotated[
    str,
    Field(pattern=r"^[^\s/*]+/(\*|[^\s/*][^\s*]*)$"),
    Is("provider/model, such as openai/gpt-4o, or provider/* for all of its models"),
]
ModelNames = Annotated[tuple[Text, ...], Field(min_length=1), _AS_TUPLE]
Tenant = Annotated[
    str,
    Field(pattern=r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]{0,254}[^\s\x00-\x1f\x7f-\x9f])?$"),
    Is("1 to 256 printable characters without spaces around them"),
]
ANY_TENANT = "*"
Tenants = Annotated[
    tuple[Tenant, ...],
    Field(min_length=1),
    BeforeValidator(
        lambda value: (value,) if value == ANY_TENANT else tuple(value) if isinstance(value, list) else value,
        json_schema_input_type=Literal["*"] | list[Tenant],
    ),
    Is('"*" for any, or a list of at least one tenant, each of 1 to 256 printable characters'),
]
"""Tenants that a header may name; `*` among them stands for any."""
