"""Pictures for people: contact sheets, plan strips and videos."""

from hwm_core.pictures.canvas import heat, png_bytes, write_png
from hwm_core.pictures.charts import bar_chart, line_chart
from hwm_core.pictures.contact_sheet import Example, contact_sheet
from hwm_core.pictures.plan_strip import plan_strip
from hwm_core.pictures.video import VideoWriter, side_by_side

__all__ = [
    "Example",
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
