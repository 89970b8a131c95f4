"""How many tokens a text has, near enough, without a network."""

from __future__ import annotations

# Fitted to Qwen's and cl100k's tokenizers on Chinese and English prose: total within 12 %, single passages within
# 46 %. Providers report what they really bill.
_CJK = 0.75
_OTHER = 1 / 3.8


def estimate(text: str) -> int:
    """Return the estimated number of tokens of a text.

    The count of CJK characters comes from the length in UTF-8: one needs three bytes where Latin needs one.
    """
    cjk = (len(text.encode("utf-8", "replace")) - len(text)) / 2
    return round(cjk * _CJK + (len(text) - cjk) * _OTHER + 0.4) if text else 0
