"""From a network to the 8-bit file that loses least: the plain one first, then one remedy after the other.

Everything that decides how a file is made, the ranges, the biases, the choice of layers that stay fp32, looks at
training images only. Validation images decide whether a file passes, and with that where the search ends.

Remedies that cost no speed come first: bias correction, then other ranges. What stays fp32 may cost some, so it comes
last, on top of the best before it: the ends of the network, then the blocks that most of the damage comes from.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx

from florilegium.calibration import probabilities
from florilegium.int8_graph import blocks, corrected_biases, ends, prepared, quantized
from florilegium.int8_ranges import channel_means, pieces, ranges
from florilegium.onnx_gate import session_answer
from florilegium.onnx_sessions import cpu_session

log = logging.getLogger(__name__)

HISTOGRAMS, JUDGES = 64, 64  # images: for percentiles and entropy, which take long; for saying which candidate is best
BLOCKS = 16  # pieces of the network whose share of the damage is measured
SHARES = (1 / 8, 1 / 4, 1 / 2)  # of the blocks, the most sensitive ones, that are tried in fp32


@dataclass(frozen=True)
class Candidate:
    """One way to make the 8-bit file."""

    name: str
    method: str = "smallest and largest value"
    corrected: bool = False
    kept: tuple[str, ...] = ()
    divergence: float = float("inf")  # from the fp32 answers, on training images
    model: onnx.ModelProto | None = None


class Remedies:
    """Candidates in the order in which they are tried; each is made when it is asked for."""

    def __init__(self, model: onnx.ModelProto, views: np.ndarray):
        """Prepare the search.

        Args:
            model: fp32, as exported.
            views: (n, 3, crop, crop) float32 of training images, in an order whose every beginning holds all classes.
        """
        self._model, self._views = prepared(model), views
        self._judges = views[-JUDGES:]  # with few training images the same as those that set the ranges
        self._reference = self._answers(self._model)
        self._ranges: dict[str, Any] = {}
        self._biases: dict[str, np.ndarray] | None = None

    def __iter__(self) -> Iterator[Candidate]:
        plain = Candidate("plain")
        free = [(yield from self._tried(plain))]
        corrected = replace(plain, name="bias correction", corrected=True)
        free.append((yield from self._tried(corrected)))
        for method in ("percentile", "entropy"):
            name = f"{corrected.name}, {method} calibration"
            free.append((yield from self._tried(replace(corrected, name=name, method=method))))
        best = min(free, key=lambda candidate: candidate.divergence)
        kept = tuple(ends(self._model))
        best = yield from self._tried(replace(best, name=f"{best.name}, first and last layers in fp32", kept=kept))
        yield from self._without_sensitive_blocks(best)

    def _without_sensitive_blocks(self, start: Candidate) -> Iterator[Candidate]:
        worst = self._blocks_by_damage(start)
        for share in SHARES:
            chosen = worst[: max(1, round(share * len(worst)))]
            kept = dict.fromkeys([*start.kept, *(name for block in chosen for name in block)])
            name = f"{start.name}, the {len(chosen)} most sensitive of {len(worst)} blocks in fp32"
            yield from self._tried(replace(start, name=name, kept=tuple(kept)))

    def _blocks_by_damage(self, start: Candidate) -> list[list[str]]:
        """Blocks, the one first that gives back most when it stays fp32."""
        found = []
        for block in blocks(self._model, BLOCKS):
            spared = self._made(replace(start, kept=(*start.kept, *block)))
            found.append((spared.divergence, block))
        return [block for _, block in sorted(found, key=lambda pair: pair[0])]

    def _tried(self, candidate: Candidate) -> Iterator[Candidate]:
        made = self._made(candidate)
        yield made
        return replace(made, model=None)

    def _made(self, candidate: Candidate) -> Candidate:
        biases = self._corrected_biases() if candidate.corrected else None
        model = quantized(self._model, self._range_by(candidate.method), candidate.kept, biases)
        return replace(candidate, model=model, divergence=divergence(self._reference, self._answers(model)))

    def _answers(self, model: onnx.ModelProto) -> np.ndarray:
        answer = session_answer(cpu_session(model, threads=1))
        return np.concatenate([answer(batch) for batch in pieces(self._judges)])

    def _range_by(self, method: str) -> Any:
        if method not in self._ranges:
            views = self._views if method == "smallest and largest value" else self._views[:HISTOGRAMS]
            self._ranges[method] = ranges(self._model, views, method)
        return self._ranges[method]

    def _corrected_biases(self) -> dict[str, np.ndarray]:
        if self._biases is None:
            made = quantized(self._model, self._range_by("smallest and largest value"))
            self._biases = corrected_biases(self._model, made, channel_means(self._model, self._views))
        return self._biases


def divergence(reference: np.ndarray, logits: np.ndarray) -> float:
    """Mean Kullback-Leibler divergence of the answers from the reference's, in nats."""
    expected, found = (np.clip(probabilities(values), 1e-12, None) for values in (reference, logits))
    return float((expected * np.log(expected / found)).sum(axis=1).mean())


def search(
    candidates: Iterable[Candidate], gate: Callable[[onnx.ModelProto], Mapping[str, Any]]
) -> tuple[Candidate, dict[str, Any], list[dict[str, Any]]]:
    """The first candidate that passes; when none does, the one with the best top-1.

    Args:
        candidates: in the order in which they are tried.
        gate: gives `top1` of a model, and `reason`, empty when it passes.

    Returns:
        The candidate, what the gate found of it, and what was tried: name, top1, divergence and layers in fp32 of each.
    """
    tried, best = [], None
    for candidate in candidates:
        found = dict(gate(candidate.model))
        tried.append(
            {
                "remedy": candidate.name,
                "top1": found["top1"],
                "top1_agreement": found["top1_agreement"],
                "divergence_on_training_images": candidate.divergence,
                "layers_in_fp32": list(candidate.kept),
            }
        )
        log.info("int8, %s: top-1 %.2f %%", candidate.name, 100 * found["top1"])
        if best is None or not found["reason"] or found["top1"] > best[1]["top1"]:
            best = candidate, found
        if not found["reason"]:
            break
    return (*best, tried)
