"""The choice in plain words: a headline, and sentences that say why, what it costs and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from florilegium.amounts import COSTS, amount, exactly, p_value, percent, points
from florilegium.style import display_name

RANDOM = "Its backbone started from random numbers: this shows that the workflow works, it is not transfer learning."


def name_of(network: Mapping[str, Any], selection: Mapping[str, Any]) -> str:
    """The network's name, with its recipe where the comparison has several."""
    recipes = {each["recipe"] for each in (*selection["candidates"], *selection["excluded"])}
    name = display_name(network["architecture"])
    return f"{name} (recipe {network['recipe']})" if len(recipes) > 1 else name


def headline(selection: Mapping[str, Any]) -> str:
    """The answer in one line."""
    chosen = selection["chosen"]
    if chosen:
        return f"{name_of(chosen, selection)} is what validation chooses"
    if selection["candidates"]:
        return "No network keeps to the limits"
    return "Comparison without a choice"


def sentences(selection: Mapping[str, Any]) -> list[str]:
    """Paragraphs of plain text that follow the headline."""
    chosen = selection["chosen"]
    if not selection["candidates"]:
        return ["Every run was trained on train + val, after the choices were made: test reports, it chooses nothing."]
    if not chosen:
        return _nothing(selection)
    said = [_why(selection, chosen), _costs(chosen), _sure(selection, chosen), _runner_up(selection)]
    said += [_rivals(selection, chosen), _better_on_test(selection), _excluded(selection), _without(selection, chosen)]
    return ([] if chosen["pretrained"] else [RANDOM]) + [sentence for sentence in said if sentence]


def _nothing(selection: Mapping[str, Any]) -> list[str]:
    candidates = selection["candidates"]
    who = "The only candidate does not keep" if len(candidates) == 1 else f"Of {len(candidates)} candidates none keeps"
    said = [f"{who} to {_limits(selection)}."]
    nearest = selection["nearest"]
    if nearest:
        said.append(
            f"Nearest is {name_of(nearest, selection)}, which would need {_breaks(nearest)}; its validation top-1 is "
            f"{percent(nearest['val_top1'])}, its test top-1 {percent(nearest['test_top1'])}."
        )
    return [*said, _excluded(selection), _without(selection, None)]


def _why(selection: Mapping[str, Any], chosen: Mapping[str, Any]) -> str:
    candidates, within = selection["candidates"], [each for each in selection["candidates"] if each["within_limits"]]
    limits = [key for key, most in selection["limits"].items() if most is not None]
    best = f"{percent(chosen['val_top1'])}{_interval(chosen, 'val_top1', ' on validation')}"
    if len(within) == 1:
        among = "It is the only candidate and" if len(candidates) == 1 else f"Of {len(candidates)} candidates it alone"
        among = f"{among} keeps to {_limits(selection)}." if limits else "It is the only candidate."
        why = f"{among} Its validation top-1 is {best}."
    else:
        among = f"Of {len(candidates)} candidates {len(within)} keep to {_limits(selection)}; among these it has"
        among = among if limits else f"No limits are set. Of {len(candidates)} candidates it has"
        why = f"{among} the best validation top-1, {best}."
    return (
        f"{why} On the test images, which had no part in the choice, it names {percent(chosen['test_top1'])} right"
        f"{_interval(chosen, 'test_top1', '')}, {percent(chosen['test_mean_per_class'])} as the mean over classes."
    )


def _interval(network: Mapping[str, Any], key: str, of: str) -> str:
    low, high = network.get(f"{key}_low"), network.get(f"{key}_high")
    if low is None or high is None:
        return ""
    over = network["interval_over"].replace("test images", "images" if of else "test images")
    return f" (95 % interval over {over} {100 * low:.1f} – {percent(high)})"


def _limits(selection: Mapping[str, Any]) -> str:
    limits = {key: most for key, most in selection["limits"].items() if most is not None}
    said = ", ".join(f"{COSTS[key][0]} at most {exactly(key, most)}" for key, most in limits.items())
    return f"the limits ({said})".replace("parameters at most", "at most").replace("multiply-adds at most", "at most")


def _costs(chosen: Mapping[str, Any]) -> str:
    said = {key: amount(key, chosen[key]) for key in COSTS}
    return (
        f"It costs {said['parameters']}, {said['gmacs']} per photograph, a file of {said['file_mb']}, "
        f"{said['latency_ms']} per photograph on one thread, and {said['train_minutes']} of training."
    )


def _sure(selection: Mapping[str, Any], chosen: Mapping[str, Any]) -> str:
    sure = selection["confidence"]
    if sure["among"] == 1:
        return ""
    others = sorted(
        (each for each in selection["candidates"] if each["within_limits"] and not _same(each, chosen)),
        key=lambda each: -each["share_of_resamples"],
    )
    rest = "; ".join(
        f"{name_of(each, selection)} in {_share(each['share_of_resamples'])}"
        for each in others[:3]
        if each["share_of_resamples"] >= 0.005
    )
    return (
        f"In {_share(sure['share'])} of {sure['resamples']:,} resamples of the {sure['over']} it would be chosen again"
        f"{f', {rest}' if rest else ''}."
    )


def _share(share: float) -> str:
    return "more than 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (one["recipe"], one["architecture"]) == (other["recipe"], other["architecture"])


def tested(other: Mapping[str, Any]) -> str:
    """What the paired test says of the chosen network (first) and another one."""
    if other["test"] is None:
        return "they were not tested against each other"
    verdict = "so test tells them apart" if other["separable"] else "so test cannot tell them apart"
    corrected = f" after Holm's correction for {other['tests']} tests" if other["tests"] > 1 else ""
    return (
        f"on test the chosen network has {points(other['test_difference'])} points (95 % interval "
        f"{points(other['low'])} … {points(other['high'])}; {other['test']}: {p_value(other['p_holm'])}"
        f"{corrected}), {verdict}"
    )


def _runner_up(selection: Mapping[str, Any]) -> str:
    other = selection["runner_up"]
    if not other:
        return ""
    ahead = round(100 * other["val_difference"], 1)
    by = f"{ahead} points behind on validation" if ahead else "as good on validation, and no smaller"
    return f"The runner-up is {name_of(other, selection)}, {by}; {tested(other)}."


def _rivals(selection: Mapping[str, Any], chosen: Mapping[str, Any]) -> str:
    rivals, said = selection["rivals"], []
    if len(rivals) > 1:
        said.append(f"The test images cannot separate it from {_names(rivals, selection)}.")
    cheaper = []
    for other in rivals:
        both = [key for key in COSTS if other[key] is not None and chosen[key] is not None]
        less = [amount(key, other[key]) for key in both if other[key] < 0.95 * chosen[key]]  # beyond what times vary by
        cheaper += [f"{name_of(other, selection)} ({', '.join(less)})"] if less else []
    if cheaper:
        said.append(f"Costing less, and so as defensible where that counts: {'; '.join(cheaper)}.")
    return " ".join(said)


def _names(networks: Sequence[Mapping[str, Any]], selection: Mapping[str, Any]) -> str:
    names = [name_of(each, selection) for each in networks]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _better_on_test(selection: Mapping[str, Any]) -> str:
    better = [each for each in selection["beaten"] if each["test_difference"] < 0]
    if not better:
        return ""
    return (
        f"On test {_names(better, selection)} did better, not by chance. The choice stays with validation: one made "
        f"on the test images could not be reported on them."
    )


def _breaks(network: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{exactly(limit['limit'], limit['value'])} where {exactly(limit['limit'], limit['allowed'])} are allowed"
        for limit in network["broken_limits"]
    )


def _excluded(selection: Mapping[str, Any]) -> str:
    said = [f"{name_of(each, selection)} ({each['kind'] or _breaks(each)})" for each in selection["excluded"]]
    return f"Left out: {'; '.join(said)}." if said else ""


def _without(selection: Mapping[str, Any], chosen: Mapping[str, Any] | None) -> str:
    free = selection["without_limits"]
    if all(most is None for most in selection["limits"].values()):
        return ""
    if chosen and _same(free, chosen):
        return "Without limits the choice would be the same."
    costs = ", ".join(amount(key, free[key]) for key in COSTS)
    return (
        f"Without limits it would be {name_of(free, selection)}: validation top-1 {percent(free['val_top1'])}, "
        f"test top-1 {percent(free['test_top1'])}, for {costs}."
    )
