# Stage: Convert the embedding model and the dictionary to memory-mapped files
# After: root
# Input: app/sparrow/knowledge/embed/convert.py app/sparrow/knowledge/embed/arrays.py
# Input: app/sparrow/knowledge/embed/tokenizer.py app/sparrow/knowledge/bilingual
# Input: app/sparrow/knowledge/keyword.py app/sparrow/knowledge/stemmer.py
# Tools: unshare
"""Run the application's own converters inside the new root. Leaves $OUT/models/NAME/ of both."""

import re

import stage

root = stage.STAGES / "root/root"
(stage.OUT / "models").mkdir()
for module, names in (("embed", "embed/builtin.py"), ("bilingual", "bilingual/__init__.py")):
    source = (stage.SRC / "app/sparrow/knowledge" / names).read_text()
    name = re.search(r'^(?:MODEL|NAME) = "(.*)"', source, re.M)[1]
    stage.in_root(
        *(root, "/usr/bin/env", "PYTHONPATH=/mnt", "python3", "-m", f"sparrow.knowledge.{module}.convert"),
        *("--output", f"/srv/{name}"),
        binds={stage.SRC / "app": "/mnt", stage.OUT / "models": "/srv"},
    )
