"""Embodiments: names, aliases, units, and unions of several robots."""

import numpy as np
import pytest
from grey_episodes import episode
from recordings import PREPROCESSING, TOPICS, real_data, record, run

from hwm_core.data.discover import find_recordings
from hwm_core.data.episodes.prepare import fit_store_manifests, prepare_episodes
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.robot.embodiment import Dimension, Embodiment, embodiment_names, read_embodiment, union
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.errors import BadActions, BadConfig, RobotMismatch
from hwm_core.live.context import Context
from hwm_core.sim.description import joints

ONE = Embodiment(
    robot="one",
    dimensions=(Dimension(name="neck_yaw", aliases=("neck",)), Dimension(name="elbow"), Dimension(name="wrist")),
)


TWO = Embodiment(
    robot="two", dimensions=(Dimension(name="elbow", aliases=("j1",)), Dimension(name="ankle", aliases=("j2",)))
)


def test_the_shipped_embodiments_match_their_robots():
    assert embodiment_names() == ["1x_eve", "fourier_gr1", "hwm_sim_humanoid", "unitree_g1_inspire"]
    assert [len(read_embodiment(name).names) for name in embodiment_names()] == [25, 44, 16, 26]
    assert read_embodiment("1x_eve").names == EVE_STATES and read_embodiment("1x_eve").aliases["HIP_YAW"] == "hip_yaw"
    sim, table = read_embodiment("hwm_sim_humanoid"), joints()
    assert sim.names == table.names and tuple(one.unit for one in sim.dimensions) == table.units
    assert np.allclose([one.limits for one in sim.dimensions], np.stack([table.lower, table.upper], axis=1))


def test_joints_are_arranged_by_name_and_alias_in_any_order():
    arranged = ONE.arrange(episode(names=("elbow", "neck"), lengths=(3,)))
    assert arranged.names == ("neck_yaw", "elbow", "wrist")
    assert np.array_equal(arranged.states, [[0, 0, np.nan], [2, 1, np.nan], [4, 2, np.nan]], equal_nan=True)


def test_an_undeclared_joint_is_rejected_with_the_likely_name():
    with pytest.raises(RobotMismatch, match=r"`elbo`.*Is it `elbow`"):
        ONE.columns(["neck", "elbo"])
    with pytest.raises(RobotMismatch, match="`neck_yaw` beside `neck`"):
        ONE.columns(["neck", "neck_yaw"])


def test_degrees_for_radians_and_closures_beyond_one_are_rejected():
    with pytest.raises(BadActions, match="degrees for radians"):
        ONE.arrange(episode(names=("elbow", "neck"), lengths=(90,)))
    hand = Embodiment(robot="hand", dimensions=(Dimension(name="a", unit="unit"), Dimension(name="b")))
    with pytest.raises(BadActions, match=r"States of run: a: expected values in unit.*not 0 to 1"):
        hand.arrange(episode(lengths=(3,), commands=False))


def test_a_union_has_every_dimension_once_with_the_wider_limits_and_one_unit():
    left = Embodiment(robot="l", dimensions=(Dimension(name="a", limits=(-1, 1)), Dimension(name="b")))
    right = Embodiment(robot="r", dimensions=(Dimension(name="a", limits=(-2, 0.5)), Dimension(name="c")))
    both = union([left, right])
    assert (both.robot, both.names, both.dimensions[0].limits) == ("l+r", ("a", "b", "c"), (-2, 1))
    with pytest.raises(BadConfig, match="one unit, rad"):
        union([left, Embodiment(robot="r", dimensions=(Dimension(name="a", unit="deg"),))])
    with pytest.raises(BadConfig, match="two meanings: b"):
        union([left, Embodiment(robot="r", dimensions=(Dimension(name="c", aliases=("b",)),))])
    assert union([read_embodiment(name) for name in embodiment_names()]).names[:2] == ("hip_yaw", "hip_roll")


def test_the_live_context_accepts_the_published_joint_names(tmp_path):
    record(tmp_path / "bags/run_0", run(6))
    split = {"training": find_recordings(tmp_path / "bags", TOPICS)}
    wide = Embodiment(
        robot="w",
        dimensions=tuple(Dimension(name=f"my_{n}", unit="m", aliases=(n,)) for n in ("neck", "elbow", "wrist")),
    )
    list(prepare_episodes(split, tmp_path / "store", PREPROCESSING, embodiment=wide))
    manifest = fit_store_manifests(tmp_path / "store", wide.description(), wide.aliases)["states"]
    context = Context(manifest, PREPROCESSING, 1)
    context.add_states(1_000_000_000, ("wrist", "neck", "elbow"), (3.0, 1.0, 2.0))
    assert context.newest_action().tolist() == [1.0, 2.0, 3.0]
    bag, robot = tmp_path / "bags/run_0", PREPROCESSING
    replayed, _ = BagRecording(bag, TOPICS).read(robot, manifest.names, aliases=manifest.aliases)
    assert replayed.names == manifest.names and replayed.states[-1].tolist() == [5.0, 50.0, -5.0]
    assert manifest.match(["wrist", "elbow", "neck"]).tolist() == [2, 1, 0]


@pytest.mark.realdata
def test_the_real_data_sets_fit_their_embodiments():
    for folder, name in (("g1_yellow_bottle", "unitree_g1_inspire"), ("gr1_sim_picknplace", "fourier_gr1")):
        dataset = open_lerobot(real_data(folder))
        assert (read_embodiment(name).columns(dataset.state_names) >= 0).all()
