"""The Responses API of OpenAI ⇄ Chat Completions.

Kept, both ways: text, images, files, system and developer messages wherever they stand, tools with their schemas and
`strict`, the choice among tools, parallel calls, ids of calls, refusals, structured output, `max_output_tokens` ⇄
`max_completion_tokens`, `reasoning.effort` ⇄ `reasoning_effort`, `user`, log probabilities, how an answer ended, and
`usage` with cached and reasoning tokens; web citations of whole answers. Readable reasoning of an answer is
`reasoning_content` in chat and a summary in Responses; it goes back to a chat provider that knows the field with the
next request, and so does what Gemini hangs on a call.

Towards chat:
* `developer` becomes `system`, which every provider knows.
* A tool that takes free text (Codex' apply_patch), a search for tools that the client makes, and tools in a namespace
  become functions; their calls come back as the client declared them.
* Images and files in a tool's result follow in a user message.
* Dropped: encrypted reasoning, past searches of the web, what OpenAI alone knows (`store`, `prompt_cache_key`,
  `service_tier`, `metadata`, `text.verbosity`, `truncation`, …), effort for models that do not reason, and Codex'
  offer of a web search without access to the web.
* Refused: any other server-side tool, files by their address unless they go on to Messages, images by their id,
  `previous_response_id` and whatever else is stored at OpenAI.

Towards Responses:
* The system message at the beginning becomes `instructions`; nothing is stored unless `store` is true.
* Dropped: `seed`, `logit_bias`, penalties, `prediction`, `name` of a message, effort for models that do not reason,
  and reasoning of past turns.
* Refused: `stop`, `n` above 1, audio, and the old `functions`.
"""

from web.translation.responses_chat import carried_reasoning
from web.translation.responses_chat.answer import answer_from_chat, answer_to_chat
from web.translation.responses_chat.request import from_chat, to_chat
from web.translation.responses_chat.streams.to_chat import StreamToChat
from web.translation.responses_chat.streams.to_responses import StreamFromChat

__all__ = [
    "StreamFromChat",
    "StreamToChat",
    "answer_from_chat",
    "answer_to_chat",
    "carried_reasoning",
    "from_chat",
    "to_chat",
]
