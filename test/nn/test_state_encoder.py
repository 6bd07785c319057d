"""The state encoder: time as in the video VAE, and a modulation that starts at zero."""

import torch

from hwm_core.nn.state_encoder import StateEncoder


def encoder(**changes: object) -> StateEncoder:
    torch.manual_seed(0)
    made = StateEncoder(3, 5, **{"temporal_factor": 4, "width": 16, "frequencies": 2, **changes})
    torch.nn.init.normal_(made.modulation.weight)
    return made


def test_a_latent_reads_the_states_of_its_own_frames_and_of_no_later_one() -> None:
    net, states = encoder(), torch.randn(1, 21, 3)
    before = net(states)
    assert before.shape == (1, 6, 5)
    for frame in range(21):
        changed = states.clone()
        changed[:, frame] += 1
        reached = (net(changed) != before).any(-1)[0].nonzero().flatten().tolist()
        own = -(-frame // 4)  # frame 0 alone, then groups of 4
        # Latent i reads the frames 4i - 6 to 4i.
        assert reached == [latent for latent in range(own, 6) if frame >= 4 * latent - 6]


def test_the_order_of_the_states_within_a_latent_matters() -> None:
    net, states = encoder(), torch.randn(1, 21, 3)
    swapped = states[:, [*range(9), 10, 9, *range(11, 21)]]
    assert not torch.allclose(net(swapped), net(states), atol=1e-3)


def test_plain_states_have_no_sinusoidal_features() -> None:
    # x and x + 2 pi have the same features but for x itself, whose weights are zero here.
    every, plain = encoder(frequencies=1), encoder(frequencies=1, plain=[1])
    states = torch.randn(1, 5, 3)
    turned = states + torch.tensor([0, 2 * torch.pi, 0])
    for net in (every, plain):
        torch.nn.init.zeros_(net.embed[0].weight[:, :3])
        assert torch.allclose(net(turned), net(states), atol=1e-4)
    assert every.embed[0].in_features == 3 + 2 * 3 and plain.embed[0].in_features == 3 + 2 * 2
    assert not torch.allclose(every(states + torch.tensor([0, 1.0, 0])), every(states), atol=1e-3)
    assert torch.equal(plain(states + torch.tensor([0, 1.0, 0])), plain(states))
