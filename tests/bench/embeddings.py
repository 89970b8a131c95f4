"""An OpenAI-compatible embedding model that costs next to nothing: `python -m tests.bench.embeddings PORT`.

A vector of 512 numbers is eight blocks of 64 that are kept as text; which block stands where is decided by the words of
a text, the smallest of an eighth of them each (a MinHash). So texts that share words are near each other, as with a
real model: an index of neighbours has something to find.
"""

from __future__ import annotations

import random
import sys
import time
from zlib import crc32

from tests.fake_llm import Connection, FakeLLM

NAME = "no-cost"
_BLOCKS, _SIZE, _CHOICES = 8, 64, 256


class Model(FakeLLM):
    """Answers /embeddings itself and leaves the rest to the fake model."""

    def __init__(self, port: int):
        super().__init__(port, record=False)
        chance = random.Random(1)
        self._blocks = [[",".join(f"{chance.gauss(0, 0.044):.5f}" for _ in range(_SIZE)) for _ in range(_CHOICES)]
                        for _ in range(_BLOCKS)]

    def handle(self, c: Connection) -> None:
        """Answer one request."""
        if not c.path.endswith("/embeddings"):
            return super().handle(c)
        import msgspec

        texts = msgspec.json.decode(c.body)["input"]
        rows = ",".join(f'{{"object":"embedding","index":{at},"embedding":[{self.vector(text)}]}}'
                        for at, text in enumerate(texts))
        return c.reply(f'{{"object":"list","data":[{rows}],"usage":{{"prompt_tokens":1,"total_tokens":1}}}}'.encode())

    def vector(self, text: str) -> str:
        """Return the vector of a text, its numbers separated by commas."""
        least = [1 << 32] * _BLOCKS
        for word in text.split():
            value = crc32(word.encode())
            if value < least[value % _BLOCKS]:
                least[value % _BLOCKS] = value
        return ",".join(blocks[value // _BLOCKS % _CHOICES] for blocks, value in zip(self._blocks, least, strict=True))


if __name__ == "__main__":
    server = Model(int(sys.argv[1]))
    while True:
        time.sleep(3600)
