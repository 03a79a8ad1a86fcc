"""What one request, and one process, may take up: `limits` in the config file."""

from typing import Annotated

from pydantic import Field

from shared.config.fields import Duration, Positive, Section, Whole


class Limits(Section):
    """What one request, and one process, may take up."""

    body_bytes: Positive = Field(20971520, description="How large a request's body may be; a larger one is a 413.")
    header_bytes: Annotated[int, Whole(512, 65536)] = Field(
        8190, description="How long one header may be, its name included."
    )
    headers: Annotated[int, Whole(16, 256)] = Field(100, description="How many headers a request may have.")
    head_timeout_s: Duration = Field(
        30.0,
        alias="head_timeout",
        description="How long a client may take from a request's first byte to the end of its head.",
    )
    body_timeout_s: Duration = Field(
        60.0, alias="body_timeout", description="How long a client may take between two pieces of a request's body."
    )
    send_timeout_s: Duration = Field(
        60.0, alias="send_timeout", description="How long a client may take no byte of its answer."
    )
    buffered_bytes: Positive = Field(
        268435456, description="How much of requests a web process may hold at once; a request beyond it is a 503."
    )
    waiting_requests: Positive = Field(2000, description="How many may be under way in a web process.")
    waiting_decisions: Positive = Field(200, description="How many may wait for a decision in a web process.")
    sessions_per_minute: Annotated[int, Whole(0)] = Field(
        6000, description="How many a client may begin, by its key, else its address; 0: any number."
    )
