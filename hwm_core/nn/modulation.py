"""Adaptive layer norm (AdaLN, Peebles & Xie 2023): a condition gives shift, scale and gate of a sub-layer."""

from collections.abc import Mapping

from torch import Tensor, nn

from hwm_core.nn.attention_spec import Groups
from hwm_core.streams import Stream

Conditions = Mapping[Stream, Tensor]
"""The embedded condition [B or 1, T or 1, D] of each stream; empty for the masked family, which has no time t."""


class Modulation(nn.Module):
    """A linear layer for each group, from the embedded condition to shift, scale and gate."""

    def __init__(self, groups: Groups, dim: int) -> None:
        super().__init__()
        self.groups = groups
        self.linear = nn.ModuleDict({group: nn.Linear(dim, 3 * dim) for group in sorted(set(groups.values()))})

    def reset_parameters(self, *, gates_open: bool) -> None:
        """Start independent of the condition: every shift and scale 0, every gate 1 or 0."""
        for parameter in self.linear.parameters():
            nn.init.zeros_(parameter)
        for layer in self.linear.values():
            nn.init.constant_(layer.bias.view(3, -1)[2], float(gates_open))

    def forward(
        self, normed: Mapping[Stream, Tensor], conditions: Conditions
    ) -> tuple[dict[Stream, Tensor], dict[Stream, Tensor]]:
        """Shift and scale the tokens [B, T, N, D] of the streams that have a group; the others are unchanged.

        Returns:
            The tokens, and for each modulated stream the gate [B or 1, T or 1, 1, D] that multiplies its update.
        """
        modulated, gates = dict(normed), {}
        for stream, tokens in normed.items():
            if stream in self.groups:
                projected = self.linear[self.groups[stream]](conditions[stream])[:, :, None]
                shift, scale, gates[stream] = projected.chunk(3, dim=-1)
                modulated[stream] = tokens * (1 + scale) + shift
        return modulated, gates
