"""Figures: contact sheets, plan strips, charts and videos."""

from hwm_core.visualization.canvas import heat, png_bytes, write_png
from hwm_core.visualization.charts import bar_chart, line_chart
from hwm_core.visualization.contact_sheet import Example, Strip, contact_sheet
from hwm_core.visualization.plan_strip import plan_strip
from hwm_core.visualization.video_writer import VideoWriter, side_by_side

__all__ = [
    "Example",
    "Strip",
    "VideoWriter",
    "bar_chart",
    "contact_sheet",
    "heat",
    "line_chart",
    "plan_strip",
    "png_bytes",
    "side_by_side",
    "write_png",
]
