"""The Messages API of Anthropic ⇄ Chat Completions.

Kept both ways: text, images, documents (PDF; plain text as text), tools with schema and `strict`, the choice among
them and whether several may be called at once, calls with their ids and results, instructions at the beginning and in
between, stop sequences, limits of tokens, effort or budget of thinking, JSON schemas to answer in, the user's id,
refusals, why an answer ended, counts of tokens.

Kept by convention, where chat has no field: a result that is an error begins with a line `Error:`; the stop sequence
that was hit is `stop_reason` of the choice, as vLLM has it; text of reasoning is `reasoning_content`, as DeepSeek has
it, becomes a thinking block without a signature, and goes back to providers that know the field; what Gemini hangs on
a call is a redacted block of ours; an image in a tool's result follows in a user message.

Dropped: signatures, redacted thinking, `cache_control` towards chat, Claude Code's attribution block, a `user_id` of
more than 64 characters, `thinking: disabled`, effort for models that do not reason, blank texts towards Messages and
what a Claude refuses of `temperature` and `top_p`, and hints that the other side lacks (`top_k`, `seed`, penalties,
`logprobs`, `service_tier`, `context_management`).

Refused as Untranslatable: tools and blocks that only Anthropic's servers run, files by id, audio, `n` above one, JSON
mode without a schema, custom tools of chat.
"""

from web.translation.messages_chat import carried_reasoning
from web.translation.messages_chat.answer import answer_from_chat, answer_to_chat
from web.translation.messages_chat.request_from_chat import KNOWN, from_chat
from web.translation.messages_chat.request_to_chat import to_chat
from web.translation.messages_chat.streams.to_chat import StreamToChat
from web.translation.messages_chat.streams.to_messages import StreamFromChat

__all__ = [
    "KNOWN",
    "StreamFromChat",
    "StreamToChat",
    "answer_from_chat",
    "answer_to_chat",
    "carried_reasoning",
    "from_chat",
    "to_chat",
]
