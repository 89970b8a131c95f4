"""A scripted stand-in for model providers, speaking OpenAI's HTTP protocol (and Anthropic's and Gemini's).

    python -m tests.fake_llm --port 0 [--key SECRET] [--answers FILE.json] [--no-record]

prints `listening on http://127.0.0.1:PORT/v1` and serves until it is ended. In tests: `with FakeLLM() as
fake: fake.base_url`. Standard library only; one thread a connection over raw sockets, keep-alive, so that
a benchmark measures Sparrow and not this server.

What it answers is decided by the last user message, as the golden corpus has it (`dify-golden/README.md`):
`<<say:TEXT>>`, `<<tool:NAME:JSON>>`, `<<error:KIND>>`, `<<fail:N:KEY:KIND>>`, `<<first:MS>>`, `<<slow:MS>>`,
`<<tokens:N>>`, `<<count>>`, `<<upper>>`, `<<think:TEXT>>`, `<<finish:REASON>>`; else `echo: …`. In addition:

- `<<reason:TEXT>>`    TEXT goes to `reasoning_content`
- `<<fault:KIND>>`     the transport misbehaves, see `script.FAULTS`; `<<fault:KIND:N>>`: at a point, or for seconds
- model `fake-reader`  answers with the sentence of the system prompt that fits the question best, in the
                       question's language: what a RAG demonstration needs, without a model
- `answers`            a table {part of the question: reply}; a reply may have directives too
"""

from tests.fake_llm.connection import Connection
from tests.fake_llm.server import FakeLLM

__all__ = ["Connection", "FakeLLM"]
