"""Which optimiser updates which parameters, and the moving average of the weights."""

import pytest
import torch
from regression_task import Regression, config
from torch import nn

from hwm_core.tokenizers import build_tokenizer
from hwm_core.train.optimiser import build_average, build_optimisers
from hwm_core.train.recipe import preset_names, read_recipe
from hwm_core.world_model.registry import build_model

MATRICES = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Declared(nn.ModuleDict):
    """Layers by name; all but `hidden` are declared as input or output layers."""

    @property
    def input_output_layers(self) -> tuple[nn.Module, ...]:
        return tuple(layer for name, layer in self.items() if name != "hidden")


def test_only_matrices_have_weight_decay():
    module = Regression().module
    decayed, others = build_optimisers(module, config(weight_decay=0.1))[0].param_groups
    assert [p.ndim for p in decayed["params"]] == [2, 2] and decayed["weight_decay"] == 0.1
    assert {p.ndim for p in others["params"]} == {1} and others["weight_decay"] == 0.0


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
@pytest.mark.parametrize("preset", preset_names())
def test_decay_on_matrices_is_on_the_weights_of_linear_layers_and_convolutions_alone(preset, optimiser):
    recipe = read_recipe(preset)
    model = {**recipe.model, "dim": 24, "depth": 1, "num_heads": 2, "grid": [4, 4], "levels": [4, 3]}
    if recipe.family in ("flow", "wan"):
        del model["levels"]
    networks = [build_model(recipe.family, model)]
    if recipe.tokenizer is not None:
        networks.append(build_tokenizer(recipe.tokenizer))
    for network in networks:
        built = build_optimisers(network, config(optimiser=optimiser, weight_decay=0.1, decayed="matrices"))
        decayed = {id(p) for one in built for g in one.param_groups if g["weight_decay"] for p in g["params"]}
        layers = {name: part for name, part in network.named_modules() if isinstance(part, MATRICES)}
        expected = {f"{name}.weight" for name, layer in layers.items() if layer.weight.requires_grad}
        assert {name for name, p in network.named_parameters() if id(p) in decayed} == expected


def test_decay_on_matrices_leaves_out_the_embeddings_and_positions_of_an_st_transformer():
    model = build_model("st_transformer", {"dim": 24, "depth": 1, "num_heads": 2, "grid": [4, 4], "levels": [4, 3]})
    _, others = build_optimisers(model, config(weight_decay=0.1, decayed="matrices"))[0].param_groups
    left_out = {id(p) for p in others["params"]}
    names = {name for name, p in model.named_parameters() if id(p) in left_out and p.ndim > 1}
    assert names == {"vocabulary.embedding.weight", "position.time", "position.space", "action_encoder.position"}


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_every_trainable_parameter_is_optimised_once(optimiser):
    module = Regression().module
    module[0].requires_grad_(False)
    built = build_optimisers(module, config(optimiser=optimiser))
    optimised = [id(p) for one in built for group in one.param_groups for p in group["params"]]
    assert sorted(optimised) == sorted(id(p) for p in module.parameters() if p.requires_grad)


def test_muon_optimises_hidden_matrices_and_leaves_embeddings_and_declared_layers_to_adamw():
    parts = Declared({"embedding": nn.Embedding(5, 4), "hidden": nn.Linear(4, 4), "head": nn.Linear(4, 5)})
    adamw, muon = build_optimisers(parts, config(optimiser="muon"))
    assert [id(p) for p in muon.param_groups[0]["params"]] == [id(parts["hidden"].weight)]
    assert len(adamw.param_groups[0]["params"]) == 2


@pytest.mark.parametrize(
    ("preset", "declared"),
    [
        ("tiny", {"vocabulary.head"}),
        ("flow_tiny", {"head"}),
        ("g1", {"action_modulation.embed.0", "action_modulation.embed.2", "conv_path.stem", "conv_path.head"}),
    ],
)
def test_the_networks_of_the_presets_leave_their_input_and_output_layers_to_adamw(preset, declared):
    recipe = read_recipe(preset)
    of_tokenizer = {"first_stem", "group_stem", "to_latents.2", "from_latents.0", "first_head", "group_head"}
    for network, expected in (
        (build_model(recipe.family, {**recipe.model, "grid": [4, 4]}), declared),
        (build_tokenizer(recipe.tokenizer), of_tokenizer),
    ):
        adamw, *muon = build_optimisers(network, config(optimiser="muon"))
        of_adamw = {id(p) for group in adamw.param_groups for p in group["params"]}
        kinds = (nn.Linear, nn.Conv2d)
        found = {
            name for name, part in network.named_modules() if isinstance(part, kinds) and id(part.weight) in of_adamw
        }
        assert found == expected and muon


def test_muon_optimises_hidden_kernels_as_matrices_and_leaves_declared_kernels_to_adamw():
    torch.manual_seed(0)
    parts = Declared({"stem": nn.Conv2d(3, 4, 1), "hidden": nn.Conv2d(4, 6, 3), "head": nn.Conv2d(6, 3, 1)})
    adamw, muon = build_optimisers(parts, config(optimiser="muon"))
    kernel = parts["hidden"].weight
    assert [id(p) for p in muon.param_groups[0]["params"]] == [id(kernel)]
    assert len(adamw.param_groups[0]["params"]) == 2
    # The same as torch's own on a matrix of the same numbers, three steps with momentum.
    matrix = nn.Parameter(kernel.detach().flatten(1).clone())
    options = {key: value for key, value in muon.param_groups[0].items() if key != "params"}
    alone = torch.optim.Muon([matrix], **options)
    for _ in range(3):
        kernel.grad = torch.randn_like(kernel)
        matrix.grad = kernel.grad.flatten(1).clone()
        muon.step()
        alone.step()
    assert torch.equal(kernel.flatten(1), matrix) and kernel.shape == (6, 4, 3, 3)
    assert list(muon.state) == [kernel], "state is kept by kernel, so that it is saved and resumed with it"


def test_the_average_starts_short_and_grows_to_its_decay():
    module = nn.Linear(1, 1, bias=False)
    average = build_average(module, decay=0.9)
    values = []
    for value in (1.0, 0.0, 0.0):
        nn.init.constant_(module.weight, value)
        average.update_parameters(module)
        values.append(average.module.weight.item())
    # The first update copies; then decays 2/11 and 3/12, both shorter than 0.9.
    assert values == pytest.approx([1.0, 2 / 11, 2 / 11 * 3 / 12])
