"""Joint names of 1X's robot EVE, in the order of the 1X World Model Challenge."""

_ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow_pitch", "elbow_yaw", "wrist_pitch", "wrist_roll")
EVE_JOINTS = (
    *("hip_yaw", "hip_roll", "hip_pitch", "knee_pitch", "ankle_roll", "ankle_pitch"),
    *(f"{side}_{joint}" for side in ("left", "right") for joint in _ARM),
    "neck_pitch",
)
# The columns of states_i.bin of v2.0.
EVE_STATES = (*EVE_JOINTS, "left_hand_closure", "right_hand_closure", "linear_velocity", "angular_velocity")
