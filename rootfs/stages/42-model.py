# Stage: Convert the embedding model to memory-mapped arrays
# After: root
# Input: app/sparrow/knowledge/embed/convert.py app/sparrow/knowledge/embed/arrays.py
# Input: app/sparrow/knowledge/embed/tokenizer.py
# Tools: unshare
"""Run the application's own converter inside the new root. Leaves $OUT/models/NAME/."""

import re

import stage

root = stage.STAGES / "root/root"
name = re.search(r'^MODEL = "(.*)"', (stage.SRC / "app/sparrow/knowledge/embed/builtin.py").read_text(), re.M)[1]
(stage.OUT / "models").mkdir()
stage.in_root(
    *(root, "/usr/bin/env", "PYTHONPATH=/mnt", "python3", "-m", "sparrow.knowledge.embed.convert"),
    *("--output", f"/srv/{name}"),
    binds={stage.SRC / "app": "/mnt", stage.OUT / "models": "/srv"},
)
