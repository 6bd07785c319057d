"""How the papers decode: the values of arXiv 2506.01182 and 2510.07092 themselves."""

from hwm_core.evaluation.config import protocol_sampling
from hwm_core.sampling.config import PAPER
from hwm_core.train.recipe import read_recipe


def test_the_masked_model_decodes_greedily_in_two_steps_and_random_order_latent_after_latent() -> None:
    one = PAPER["masked"]
    assert (one.steps, one.order, one.parallel, one.soft, one.temperature) == (2, "random", False, False, 0.0)


def test_the_flow_model_takes_50_euler_steps_with_guidance_3() -> None:
    one = PAPER["flow"]
    assert (one.solver, one.steps, one.guidance_scale) == ("euler", 50, 3.0)


def test_the_st_transformer_decodes_greedily_and_wan_takes_20_steps_of_unipc() -> None:
    assert (PAPER["st_transformer"].soft, PAPER["st_transformer"].temperature) == (False, 0.0)
    assert (PAPER["wan"].solver, PAPER["wan"].steps, PAPER["wan"].guidance_scale) == ("unipc", 20, 1.0)


def test_no_family_restores_detail_and_the_protocol_paper_decodes_so() -> None:
    assert not any(one.detail_transfer for one in PAPER.values())
    assert {family: protocol_sampling("paper", family) for family in PAPER} == PAPER


def test_hand_closures_of_the_papers_presets_are_as_recorded() -> None:
    assert [read_recipe(preset).data.closures for preset in ("masked", "flow")] == ["as_recorded", "as_recorded"]
