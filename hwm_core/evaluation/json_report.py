"""The numbers of a result, JSON-serialisable, for evaluation.json and metrics.json."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from hwm_core.evaluation.condition_names import DELTA_PSNR, PREDICTED, is_sampled, references
from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.evaluation.report_views import views
from hwm_core.evaluation.result import EvaluationResult
from hwm_core.evaluation.window_results import Region
from hwm_core.metrics.bootstrap import Interval
from hwm_core.metrics.kid import KernelDistance
from hwm_core.metrics.psnr import pooled_psnr, psnr
from hwm_core.sampling.config import Sampling


def counts(result: EvaluationResult) -> dict[str, int]:
    """The number of windows and episodes, and the seed: stored with every number."""
    return {"windows": len(result), "episodes": result.num_episodes, "seed": result.seed}


def psnr_tables_json(result: EvaluationResult) -> dict[str, dict[str, dict[str, Any]]]:
    """{"psnr_db", if applicable "psnr_db_fixed_neck" and "psnr_db_moved_objects"}, each as `psnr_json`."""
    return {view.key: psnr_json(view.result, view.region) for view in views(result)}


def psnr_json(result: EvaluationResult, region: Region = "frame") -> dict[str, dict[str, Any]]:
    """{horizon: {condition: dB, "windows", "pooled": {condition: dB}, "gain_over": {condition: interval}, ...}}.

    `gain_over` has the gains of the model. With samples, `sample_gains` has the gains of `single` and `mean_of_N`.
    """
    return {str(h): _at(result, h, region) for h in result.horizons}


def conditions_json(result: EvaluationResult, config: EvaluationConfig) -> dict[str, dict[str, Any]]:
    """{condition: its counts and sampling, and its numbers at every frame ahead and as their mean}."""
    return {name: {**_origin(name, result, config), **_by_frame(name, result)} for name in result.conditions}


def controllability_json(result: EvaluationResult) -> dict[str, dict[str, Any]]:
    """Delta-PSNR in dB, {condition: {horizon, and "mean" of all frames ahead: interval; counts}}."""
    return {
        name: {
            **counts(result),
            **{str(h): interval_json(result.delta_psnr(name, h)) for h in result.horizons},
            "mean": interval_json(result.mean_gain("model", name)),
        }
        for name in DELTA_PSNR
        if name in result.conditions
    }


def sensitivity_json(result: EvaluationResult) -> dict[str, Any] | None:
    """{"windows", "joints": {name: size of the perturbation, change of the predictions}}.

    A joint is averaged over the windows whose robot has this joint. Without such a window, its numbers are None.
    """
    response, manifest = result.sensitivity, result.manifest
    if response is None:
        return None
    joints = zip(
        manifest.names, manifest.units, manifest.std, manifest.constant, response.change.T, response.mse.T, strict=True
    )
    return {
        "windows": len(response.change),
        "joints": {
            name: {
                "perturbed_by": round(std, 6),
                "unit": unit,
                "constant": constant,
                "windows": int((~np.isnan(change)).sum()),
                "mean_absolute_change": None if np.isnan(change).all() else round(float(np.nanmean(change)), 6),
                "psnr_db_between": number(pooled_psnr(mse)),
            }
            for name, unit, std, constant, change, mse in joints
        },
    }


def tokens_json(result: EvaluationResult) -> dict[str, Any] | None:
    """{"conditions": {name: nats per code, accuracy, counts}, "uniform_ce", "gain_over": {name: nats saved}}."""
    if (tokens := result.tokens) is None:
        return None
    return {
        "conditions": {
            name: {
                "ce": number(float(tokens.ce[name].mean())),
                "accuracy": number(float(tokens.accuracy[name].mean())),
                **counts(result),
            }
            for name in tokens.ce
        },
        "uniform_ce": number(tokens.uniform_ce),
        "gain_over": {name: interval_json(result.nats_saved(name)) for name in tokens.ce if name != "model"},
    }


def distances_json(result: EvaluationResult) -> dict[str, dict[str, Any]]:
    """{metric: {condition: distance and counts; of a kernel distance the mean and deviation over subsets}}."""
    counted = {**counts(result), "frames_of_window": result.num_frames}
    return {
        metric: {name: {**_distance(distance), **counted} for name, distance in distances.items()}
        for metric, distances in result.distances.items()
    }


def interval_json(interval: Interval) -> dict[str, float | None]:
    """{"mean", "low", "high"}."""
    return {key: number(value) for key, value in vars(interval).items()}


def number(value: float | None) -> float | None:
    """Rounded to four places; None for NaN, which JSON does not have."""
    return None if value is None or math.isnan(value) else round(value, 4)


def _at(result: EvaluationResult, horizon: int, region: Region) -> dict[str, Any]:
    gains: Mapping[str, dict[str, Any]] = {
        name: {over: interval_json(result.gain(name, over, horizon, region)) for over in others}
        for name, others in references(result.conditions).items()
    }
    of_samples = {name: gain for name, gain in gains.items() if name != "model"}
    return {
        **{name: number(result.psnr(name, horizon, region)) for name in result.conditions},
        **counts(result),
        "windows": result.count(horizon, region),
        "pooled": {name: number(result.pooled_psnr(name, horizon, region)) for name in result.conditions},
        "gain_over": gains["model"],
        **({"sample_gains": of_samples} if of_samples else {}),
    }


def _origin(condition: str, result: EvaluationResult, config: EvaluationConfig) -> dict[str, Any]:
    sampled = is_sampled(condition)
    sampling = config.sampling_of_samples if sampled else config.sampling
    if condition == "mean_prediction":
        sampling = Sampling()
    predicted = sampled or condition in (*PREDICTED, "mean_prediction")
    samples = config.samples if sampled and condition != "single" else 1
    return {
        **counts(result),
        "samples": samples if predicted else None,
        "sampling": sampling.plain() if predicted else None,
    }


def _by_frame(condition: str, result: EvaluationResult) -> dict[str, Any]:
    ahead, errors = range(1, 1 + result.num_frames), result.conditions[condition]
    by_frame: dict[str, list[float | None]] = {
        "psnr_db": [number(result.psnr(condition, h)) for h in ahead],
        "pooled_psnr_db": [number(result.pooled_psnr(condition, h)) for h in ahead],
    }
    means = {
        "psnr_db": number(float(result.window_psnr(condition).mean())),
        "pooled_psnr_db": number(float(psnr(errors.mse.mean()))),
    }
    for name, values in errors.measures.items():
        by_frame[name] = [number(float(of_frame)) for of_frame in values.mean(axis=0)]
        means[name] = number(float(values.mean()))
    return {"mean": means, "by_frame": by_frame}


def _distance(distance: float | KernelDistance) -> dict[str, float]:
    """Rounded to six digits, because many distances are far below 1."""
    if isinstance(distance, KernelDistance):
        items = asdict(distance).items()
        return {key: value if isinstance(value, int) else float(f"{value:.6g}") for key, value in items}
    return {"distance": float(f"{distance:.6g}")}
