"""The measurements on windows: the same record for a batch and for all windows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hwm_core.evaluation.sensitivity import JointResponse
from hwm_core.evaluation.token_scores import TokenScores
from hwm_core.io.resumable import Numbers

Region = Literal["frame", "moved"]
"""The whole frame, or the pixels of moved objects."""


@dataclass(frozen=True)
class FrameErrors:
    """Errors of one condition, [W, F]: F frames ahead."""

    mse: NDArray[np.float64]
    moved_mse: NDArray[np.float64] | None  # inside moved objects; NaN if no object moved
    measures: Mapping[str, NDArray[np.float64]]  # the requested measures, by the keys of MEASURES

    def of(self, region: Region) -> NDArray[np.float64]:
        values = self.mse if region == "frame" else self.moved_mse
        if values is None:
            raise ValueError("evaluated without object tracks")
        return values

    def only(self, windows: NDArray[np.bool_]) -> "FrameErrors":
        moved = None if self.moved_mse is None else self.moved_mse[windows]
        return FrameErrors(self.mse[windows], moved, {name: values[windows] for name, values in self.measures.items()})


@dataclass(frozen=True)
class WindowResults:
    """Everything measured on W windows."""

    conditions: Mapping[str, FrameErrors]
    moved_pixels: NDArray[np.int64] | None  # [W, F] pixels of objects that moved
    features: Mapping[str, Mapping[str, NDArray[np.float32]]]  # {condition or TRUTH: {metric: [W, R, D]}}
    tokens: TokenScores | None  # of a model that predicts codes, if requested
    sensitivity: JointResponse | None

    def only(self, windows: NDArray[np.bool_]) -> "WindowResults":
        """The chosen windows, bool [W]; features are left out."""
        response = self.sensitivity
        return WindowResults(
            conditions={name: errors.only(windows) for name, errors in self.conditions.items()},
            moved_pixels=None if self.moved_pixels is None else self.moved_pixels[windows],
            features={},
            tokens=None if self.tokens is None else self.tokens.only(windows),
            sensitivity=None if response is None else JointResponse(response.change[windows], response.mse[windows]),
        )

    def without_features(self) -> "WindowResults":
        """The results without the features, which would not fit into memory for all windows."""
        return replace(self, features={})

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays by name, for storage. The first axis of each array is the window, except for the number of codes."""
        conditions: dict[str, dict[str, Any]] = {}
        for name, errors in self.conditions.items():
            conditions[name] = {"mse": errors.mse, "measures": errors.measures}
            if errors.moved_mse is not None:
                conditions[name]["moved_mse"] = errors.moved_mse
        tree: dict[str, Any] = {"conditions": conditions, "features": self.features}
        if self.moved_pixels is not None:
            tree["moved_pixels"] = self.moved_pixels
        if self.tokens is not None:
            tree["tokens"] = {**vars(self.tokens), "vocabulary": np.array(self.tokens.vocabulary)}
        if self.sensitivity is not None:
            tree["sensitivity"] = vars(self.sensitivity)
        return dict(_flat(tree))

    @classmethod
    def from_arrays(cls, arrays: Numbers) -> "WindowResults":
        """The inverse of `to_arrays`."""
        tree = _nested(arrays)
        tokens, response = tree.get("tokens"), tree.get("sensitivity")
        return cls(
            conditions={
                name: FrameErrors(errors["mse"], errors.get("moved_mse"), errors.get("measures", {}))
                for name, errors in tree["conditions"].items()
            },
            moved_pixels=tree.get("moved_pixels"),
            features=tree.get("features", {}),
            tokens=None if tokens is None else TokenScores(**{**tokens, "vocabulary": int(tokens["vocabulary"])}),
            sensitivity=None if response is None else JointResponse(**response),
        )

    @classmethod
    def joined(cls, batches: Iterable["WindowResults"]) -> "WindowResults":
        """All windows of several batches, in order."""
        stored = [batch.to_arrays() for batch in batches]
        joined = {
            name: first if first.ndim == 0 else np.concatenate([arrays[name] for arrays in stored])
            for name, first in stored[0].items()
        }
        return cls.from_arrays(joined)


def _flat(tree: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, NDArray[Any]]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}/")
        else:
            yield f"{path}{name}", value


def _nested(arrays: Numbers) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        *path, last = name.split("/")
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
        branch[last] = array
    return tree
