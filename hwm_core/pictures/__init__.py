"""Pictures for people: contact sheets, plan strips and videos."""

from hwm_core.pictures.canvas import heat, write_png
from hwm_core.pictures.contact_sheet import Example, contact_sheet
from hwm_core.pictures.plan_strip import plan_strip
from hwm_core.pictures.video import VideoWriter, side_by_side

__all__ = ["Example", "VideoWriter", "contact_sheet", "heat", "plan_strip", "side_by_side", "write_png"]
