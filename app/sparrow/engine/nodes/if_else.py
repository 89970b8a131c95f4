"""The if-else node."""

from __future__ import annotations

from typing import Any

from sparrow.engine.conditions import ConditionError, check, evaluate
from sparrow.engine.context import Context
from sparrow.engine.nodes.base import Node, NodeError, Result


class IfElse(Node):
    """Takes the way of the first case whose conditions hold, else `false`."""

    kind = "branch"

    def setup(self, data: dict[str, Any]) -> None:
        """Read the cases; old files have one, without a name."""
        cases = data.get("cases")
        if cases is None and data.get("conditions") is not None:
            cases = [{"case_id": "true", "logical_operator": data.get("logical_operator") or "and",
                      "conditions": data["conditions"]}]
            self.legacy = True
        else:
            self.legacy = False
        self.cases = list(cases or ())
        for case in self.cases:
            check(case.get("conditions") or ())

    def run(self, context: Context) -> Result:
        """Return `result` and `selected_case_id`."""
        compared: list[dict[str, Any]] = []
        judged: list[dict[str, Any]] = []
        chosen, final = "false", False
        for case in self.cases:
            operator = case.get("logical_operator") or "and"
            try:
                shown, results, final = evaluate(context.pool, case.get("conditions") or (), operator)
            except ConditionError as error:
                raise NodeError(str(error), "", inputs={"conditions": compared},
                                process_data={"condition_results": judged}) from None
            compared = shown
            judged.append({"group": _group(case, operator) if not self.legacy else "default", "results": results,
                           "final_result": final})
            if final:
                chosen = str(case.get("case_id") or case.get("id"))
                break
        return Result({"result": final, "selected_case_id": chosen}, {"conditions": compared},
                      {"condition_results": judged}, handle=chosen)


def _group(case: dict[str, Any], operator: str) -> dict[str, Any]:
    """Return a case as the trace shows it."""
    conditions = []
    for condition in case.get("conditions") or ():
        sub = condition.get("sub_variable_condition")
        conditions.append({
            "variable_selector": condition.get("variable_selector"),
            "comparison_operator": condition.get("comparison_operator"),
            "value": condition.get("value"),
            "sub_variable_condition": None if sub is None else {
                "logical_operator": sub.get("logical_operator"),
                "conditions": [{"key": rule.get("key"), "comparison_operator": rule.get("comparison_operator"),
                                "value": rule.get("value")} for rule in sub.get("conditions") or ()],
            },
        })
    return {"case_id": case.get("case_id") or case.get("id"), "logical_operator": operator, "conditions": conditions}
