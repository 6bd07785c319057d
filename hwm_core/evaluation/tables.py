"""The numbers of a result as tables."""

from hwm_core.evaluation.condition_names import DELTA_PSNR, references, title
from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.evaluation.frame_measures import MEASURES
from hwm_core.evaluation.json_report import conditions_json
from hwm_core.evaluation.report_views import View, views
from hwm_core.evaluation.result import EvaluationResult
from hwm_core.evaluation.table import Table, decimals, digits, gain
from hwm_core.evaluation.token_scores import TokenScores
from hwm_core.evaluation.window_results import Region
from hwm_core.metrics.kid import KernelDistance


def markdown(result: EvaluationResult) -> str:
    """`horizon_tables` as Markdown."""
    return "\n".join(table.markdown() for table in horizon_tables(result))


def all_tables(result: EvaluationResult, config: EvaluationConfig) -> list[Table]:
    """`horizon_tables`, all frames ahead together, and controllability."""
    return [*horizon_tables(result), mean_table(result, config), controllability_table(result)]


def horizon_tables(result: EvaluationResult) -> list[Table]:
    """Tables by horizon: PSNR and its gains for each view, then each measure, the distances, and the codes."""
    measures = [measure_table(result, name) for name in result.measures]
    distances = [distances_table(result)] if result.distances else []
    tokens = [] if result.tokens is None else [tokens_table(result, result.tokens)]
    return [*map(psnr_table, views(result)), *measures, *distances, *tokens]


def psnr_table(view: View) -> Table:
    """PSNR of each condition at each horizon, and the gains with their intervals."""
    result, region = view.result, view.region
    head = [f"PSNR in dB, {_windows(result, region)}", *_horizons(result)]
    lines = [
        [title(name), *(decimals(result.psnr(name, h, region)) for h in result.horizons)] for name in result.conditions
    ]
    for name, others in references(result.conditions).items():
        for over in others:
            gains = (gain(result.gain(name, over, h, region)) for h in result.horizons)
            lines.append([f"{title(name)} above {title(over)}", *gains])
    return Table(view.title, head, lines)


def measure_table(result: EvaluationResult, name: str) -> Table:
    """A measure of each condition at each horizon."""
    head = [f"{MEASURES[name]}, {len(result)} windows", *_horizons(result)]
    lines = [
        [title(condition), *(f"{result.measure(name, condition, h):.3f}" for h in result.horizons)]
        for condition in result.conditions
    ]
    return Table(MEASURES[name], head, lines)


def distances_table(result: EvaluationResult) -> Table:
    """Distances to the true frames, a column for each metric."""
    conditions = list(next(iter(result.distances.values()), {}))
    count = f"{len(result)} windows of {result.num_frames} frames"
    lines = [[title(name), *(_distance(of[name]) for of in result.distances.values())] for name in conditions]
    return Table("Distances between all predicted and all true frames", [count, *result.distances], lines)


def tokens_table(result: EvaluationResult, tokens: TokenScores) -> Table:
    """Cross-entropy and accuracy of each condition, and the nats that the true actions save."""
    lines = [
        [title(name), f"{tokens.ce[name].mean():.3f}", f"{tokens.accuracy[name].mean():.3f}"] for name in tokens.ce
    ]
    lines.append(["uniform", f"{tokens.uniform_ce:.3f}", "-"])
    for name in tokens.ce:
        if name != "model":
            lines.append([f"model below {title(name)}", gain(result.nats_saved(name), 3), "-"])
    head = [f"{len(result)} windows", "CE, nats per code", "accuracy"]
    return Table("Codes of the whole future, predicted from the past alone", head, lines)


def mean_table(result: EvaluationResult, config: EvaluationConfig) -> Table:
    """The mean of each condition over all frames ahead, with its counts, seed and samples."""
    measures = [MEASURES[name] for name in result.measures]
    origins = ["windows", "episodes", "seed", "samples"]
    head = ["All frames ahead", "mean PSNR, dB", "pooled PSNR, dB", *measures, *origins]
    lines = []
    for name, numbers in conditions_json(result, config).items():
        means = (numbers["mean"][key] for key in ("psnr_db", "pooled_psnr_db", *result.measures))
        origin = (numbers[key] for key in origins)
        lines.append([title(name), *("-" if value is None else str(value) for value in (*means, *origin))])
    return Table(f"All {result.num_frames} frames ahead together", head, lines)


def controllability_table(result: EvaluationResult) -> Table:
    """Delta-PSNR: the gain of the true actions over other actions."""
    lines = [
        [
            f"true actions above {title(name)}",
            *(gain(result.delta_psnr(name, h)) for h in result.horizons),
            gain(result.mean_gain("model", name)),
        ]
        for name in DELTA_PSNR
        if name in result.conditions
    ]
    return Table("Controllability (delta-PSNR)", ["dB", *_horizons(result), "mean of all frames"], lines)


def _distance(distance: float | KernelDistance) -> str:
    """A kernel distance is shown with its deviation over subsets, if there are several."""
    if not isinstance(distance, KernelDistance):
        return digits(distance)
    return digits(distance.mean) if distance.subsets == 1 else f"{digits(distance.mean)} ± {distance.std:.2g}"


def _horizons(result: EvaluationResult) -> list[str]:
    return [f"{h} frames ahead" for h in result.horizons]


def _windows(result: EvaluationResult, region: Region) -> str:
    counts = [result.count(h, region) for h in result.horizons]
    return f"{counts[0]} windows" if len(set(counts)) == 1 else " / ".join(map(str, counts)) + " windows"
