"""Questions are turned towards the passages that answer them; the vectors of passages stay as they are."""

from __future__ import annotations

import numpy as np

from sparrow.knowledge.embed import Embedder, builtin

PAIRS = (
    ("How do I get the machine to start again after a power failure?",
     "After an outage, press the green switch and wait until the lamp stops blinking; the controller then resumes."),
    ("洗碗机排水不畅怎么办？",
     "Remove the filter at the bottom, rinse it under the tap and check that the drain hose is not bent."),
    ("where is the spare key kept",
     "备用钥匙放在门卫室的保险箱里，领取时须登记姓名和时间。"),
    ("怎样申请年假",
     "员工须提前两周在人事系统中提交休假单，由部门主管批准后生效。"),
    ("warranty period of the battery",
     "The accumulator is guaranteed for 24 months from the date on the invoice; wear is not covered."),
    ("打印机卡纸",
     "Open the rear cover, pull the sheet out slowly in the direction of transport and close the cover again."),
)


def test_turned_questions_find_their_answers():
    questions, passages = ([one[side] for one in PAIRS] for side in (0, 1))
    turned = Embedder().encode(questions, "query")
    assert np.allclose(np.linalg.norm(turned, axis=1), 1, atol=1e-5)
    assert not np.allclose(turned, builtin.encode(questions), atol=0.01)
    cosines = turned @ Embedder().encode(passages).T
    assert cosines.argmax(axis=1).tolist() == list(range(len(PAIRS)))


def test_passages_are_not_turned():
    """A base made before there was a map needs no new vectors."""
    passages = [one[1] for one in PAIRS]
    assert np.array_equal(Embedder().encode(passages), builtin.encode(passages))
    assert not np.allclose(Embedder().encode(passages, "query"), builtin.encode(passages), atol=0.01)
