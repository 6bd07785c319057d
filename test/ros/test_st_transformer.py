"""The world_model node with an ST-Transformer, in a separate process: real DDS, untrained weights."""

import numpy as np
import pytest
from untrained import save_untrained

pytest.importorskip("rclpy", reason="needs ROS 2")
from hwm_ros.msg import ErrorCode
from hwm_ros.srv import PredictRollout, ScoreActions, SetGoal
from ros_robot import GOAL, robot_of, some_candidates

pytestmark = pytest.mark.ros


def test_an_st_transformer_predicts_frames_and_scores_candidates_in_the_node(tmp_path) -> None:
    checkpoint = save_untrained(tmp_path / "checkpoint", family="st_transformer")
    with robot_of(tmp_path, checkpoint) as robot:
        robot.call(SetGoal, "/world_model/set_goal", SetGoal.Request(goal=GOAL))
        robot.fill()
        request = ScoreActions.Request(candidates=some_candidates())
        scores = robot.call(ScoreActions, "/world_model/score_actions", request).scores
        assert scores.error_code == ErrorCode.NONE, scores.error_msg
        assert len(scores.costs) == 4 and np.isfinite(scores.costs).all()
        wanted = PredictRollout.Request(candidates=some_candidates())
        frames = robot.call(PredictRollout, "/world_model/predict_rollout", wanted).frames
        assert (frames.num_candidates, frames.num_frames, frames.height) == (4, 24, 16)
