"""Distance between positions that a probe reads off the predicted latents and off the goal."""

import torch
from pydantic import Field
from torch import Tensor

from hwm_core.errors import BadConfig
from hwm_core.planning.costs.base import Candidates, Weight
from hwm_core.planning.costs.blurred_nmse import discounted_mean
from hwm_core.planning.costs.latent_cost import LatentCost
from hwm_core.planning.costs.readout_probe import ReadoutProbe, read_probe


class ReadoutDistance(LatentCost):
    """Distance in metres of palms and objects from their places in the goal, mean over what the probe locates.

    **A search exploits its errors.** Of a bank of motions it ranks best of all costs, at the start of a task as near
    the goal. But a search looks for images that read well, and a small probe is wrong somewhere: on *true* images,
    0.1 m of read-out and a little of the latents reached 5 of 15 goals where blurred images reached 13 of 16. Use it
    beside a distance of latents, with a small weight, and evaluate it in closed loops, never by how it ranks.

    The probe is trained on the state of a simulator, which a robot does not have. The settings of a row in a results
    file name it.
    """

    weight: Weight = 0.0
    file: str = Field(default="", description="probe of `hwm bench fit-readout`, fitted for the model's tokenizer")
    targets: tuple[str, ...] = Field(default=(), description="what counts, such as right_palm; empty: all")

    def value(self, candidates: Candidates) -> Tensor:
        latents, goal = candidates.rollout.latents.float(), candidates.goal
        probe = read_probe(self.file, latents.device)
        self._require_match(probe, latents.shape[-1], goal.encoder)
        distances = (probe(latents) - probe(goal.latent.float())).norm(dim=-1)  # [S, T, P]
        chosen = torch.stack([distances[..., target] for target in self._chosen(probe)])
        return discounted_mean(chosen.mean(dim=0), self.discount)

    def _require_match(self, probe: ReadoutProbe, channels: int, encoder: str) -> None:
        same = not (encoder and probe.encoder) or encoder == probe.encoder
        if not same or channels != probe.channels:
            raise BadConfig(
                f"Read-out {self.file}",
                expected=f"latents of tokenizer {probe.encoder[:12] or '(unknown)'}, {probe.channels} channels",
                got=f"latents of tokenizer {encoder[:12] or '(unknown)'}, {channels} channels",
                remedy="Fit a read-out for this checkpoint: `hwm bench fit-readout`.",
            )

    def _chosen(self, probe: ReadoutProbe) -> list[int]:
        """Numbers of the targets that count."""
        if unknown := [name for name in self.targets if name not in probe.targets]:
            raise BadConfig(
                "Targets of the read-out",
                expected=f"names among {', '.join(probe.targets)}",
                got=", ".join(unknown),
                remedy="Correct `targets`.",
            )
        return [probe.targets.index(name) for name in self.targets or probe.targets]
