"""Adaptive layer norm: shift, scale and gate of a sub-layer from a condition, the time of the flow first of all
(Peebles & Xie 2023)."""

from collections.abc import Mapping

from torch import Tensor, nn

from hwm_core.nn.attention_spec import Groups
from hwm_core.streams import Stream

Conditions = Mapping[Stream, Tensor]
"""The embedded condition [B or 1, T or 1, D] that each stream is modulated by; empty for a family without a time."""


class Modulation(nn.Module):
    """For each group a linear layer from the embedded condition to shift, scale and gate."""

    def __init__(self, groups: Groups, dim: int) -> None:
        super().__init__()
        self.groups = groups
        self.linear = nn.ModuleDict({group: nn.Linear(dim, 3 * dim) for group in sorted(set(groups.values()))})

    def reset_parameters(self, *, gates_open: bool) -> None:
        """No effect of the condition at first: every shift and scale 0, every gate 1 or 0."""
        for parameter in self.linear.parameters():
            nn.init.zeros_(parameter)
        for layer in self.linear.values():
            nn.init.constant_(layer.bias.view(3, -1)[2], float(gates_open))

    def forward(
        self, normed: Mapping[Stream, Tensor], conditions: Conditions
    ) -> tuple[dict[Stream, Tensor], dict[Stream, Tensor]]:
        """Shift and scale tokens [B, T, N, D] of the streams that have a group; others stay as they are.

        Returns:
            The tokens, and the gate [B or 1, T or 1, 1, D] of each modulated stream, to multiply its update with.
        """
        modulated, gates = dict(normed), {}
        for stream, tokens in normed.items():
            if stream in self.groups:
                numbers = self.linear[self.groups[stream]](conditions[stream])[:, :, None]
                shift, scale, gates[stream] = numbers.chunk(3, dim=-1)
                modulated[stream] = tokens * (1 + scale) + shift
        return modulated, gates
