"""Code, in the sandbox."""

from __future__ import annotations

import json
from typing import Any

from sparrow.engine.ports import CodeLimits, PortError
from sparrow.tools.builtin import Provider, label
from sparrow.tools.types import Parameter, Tool, Use


def _code(values: dict[str, Any], use: Use) -> str:
    from sparrow.sandbox.port import CodeExecutionError, Port

    language = "javascript" if values.get("language") == "javascript" else "python3"
    try:
        found = Port().run(language, str(values["code"]), {}, CodeLimits(), use.cancel)
    except CodeExecutionError as error:
        raise PortError(str(error), error.error_type) from error
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


PROVIDERS = (Provider("code", label("Code", "代码"), label("Runs code in a sandbox.", "在沙箱中运行代码。"), (
    Tool("simple_code", label("Code interpreter", "代码解释器"), "Runs code that defines main() in a sandbox.", (
        Parameter("language", "python3 or javascript", "select", required=False, default="python3",
                  options=("python3", "javascript"), zh="语言"),
        Parameter("code", "Code that defines a function main without parameters", zh="定义 main() 的代码")), _code),)),)
