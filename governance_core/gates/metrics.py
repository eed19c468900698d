"""The model gate: metrics against bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from governance_core.core import Bound, impossibility
from governance_core.gates.verdict import Check, Verdict


def judge_metrics(metrics: Mapping[str, object], bounds: Sequence[Bound]) -> Verdict:
    """Judge every metric, bounded or not, and every bound; of two bounds on one side the stricter holds.

    The verdict fails for a metric that is missing, not a finite number or out of its possible range, for a value
    beyond its bound, for a bound that no value can meet or miss, and where there is no bound at all.
    """
    return Verdict("model", tuple(check_numbers(metrics, bounds)))


def check_numbers(numbers: Mapping[str, object], bounds: Sequence[Bound]) -> Iterator[Check]:
    """Yield one check for each number, each impossible bound and each bound that holds."""
    if not bounds:
        message = "no bound is set, so nothing can be judged; set one in the call or in governance.yaml"
        yield Check("no-bound", "bounds", None, None, None, False, message)
    for name, value in numbers.items():
        problem = impossibility(name, value)
        message = f"{name} = {_shown(value)} {problem}" if problem else f"{name} = {_shown(value)} is a possible value"
        yield Check("metric-invalid", name, value, None, None, problem is None, message)
    possible = []
    for bound in bounds:
        if problem := impossibility(bound.metric, bound.limit):
            message = f"the threshold for {bound.metric}, {bound}, {problem}"
            yield Check("threshold-impossible", bound.metric, None, bound.limit, bound.source, False, message)
        else:
            possible.append(bound)
    for bound in stricter(possible):
        yield _check_bound(numbers, bound)


def stricter(bounds: Iterable[Bound]) -> list[Bound]:
    """Return one bound for each metric and side: the strictest, the first of equals."""
    strictest: dict[tuple[str, str], Bound] = {}
    for bound in bounds:
        held = strictest.setdefault((bound.metric, bound.kind), bound)
        if held.is_laxer_than(bound):
            strictest[bound.metric, bound.kind] = bound
    return list(strictest.values())


def _check_bound(numbers: Mapping[str, object], bound: Bound) -> Check:
    name, rule = bound.metric, f"metric-{bound.kind}"
    if name not in numbers:
        message = f"{name} is missing; it must be {bound}"
        return Check("metric-missing", name, None, bound.limit, bound.source, False, message)
    value = numbers[name]
    passed = impossibility(name, value) is None and bound.holds(float(value))  # type: ignore[arg-type]
    message = f"{name} = {_shown(value)} {'is' if passed else 'must be'} {bound}"
    return Check(rule, name, value, bound.limit, bound.source, passed, message)


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value)
