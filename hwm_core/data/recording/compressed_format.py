"""What `format` of a sensor_msgs/CompressedImage says about the pixels of the file in `data`.

compressed_image_transport writes "ENCODING; CODEC compressed TARGET": the image had ENCODING and was converted to
TARGET, if one stands there, before OpenCV compressed it. OpenCV takes what it compresses for BGR. So a file of rgb8, or
one whose colours were not converted, has red and blue swapped, and the subscriber of compressed_image_transport swaps
them back. Drivers of cameras write only the codec, such as "jpeg": their files are as every viewer shows them.
"""

import re

from hwm_core.data.recording.pixel_encodings import BAYER_NAMES, ENCODINGS, reject_depth
from hwm_core.errors import BadImage

# "shown": as every viewer shows it; "swapped": with red and blue swapped; "undeclared"; or a Bayer encoding.
FileColours = str

_COLOURS = re.compile(r"(rgb|bgr)a?(8|16)")
_CODECS = ("jpeg", "jpg", "png", "tiff", "webp", "bmp")
_SHOWN = ("mono8", "mono16", "8UC1", "8UC3", "8UC4")


def colours_of(form: str) -> FileColours:
    """The colours of the file in a message of format `form`; "undeclared" where it states only the codec.

    Raises:
        BadImage: depth, an unknown encoding, or one that a file cannot hold.
    """
    encoding, separator, transport = form.partition(";")
    encoding = encoding.strip() if separator else ""
    encoding = "" if encoding.lower() in _CODECS else encoding
    reject_depth(form if "compresseddepth" in form.lower() else encoding)
    transport = transport if separator else form
    target = re.search(r"\bcompressed\s+(\S+)", transport)
    if target:
        reject_depth(target[1])
        return _colours(target[1].strip(), form, converted=True)
    return _colours(encoding, form, converted=False) if encoding else "undeclared"


def _colours(name: str, form: str, converted: bool) -> FileColours:
    name = name.lower() if _COLOURS.fullmatch(name.lower()) else name
    if name in BAYER_NAMES:
        return name
    if name in _SHOWN or (converted and name.startswith("bgr") and _COLOURS.fullmatch(name)):
        return "shown"
    if _COLOURS.fullmatch(name):
        return "swapped"
    held = [one for one in ENCODINGS if one in _SHOWN or one in BAYER_NAMES or _COLOURS.fullmatch(one)]
    raise BadImage(
        f"Compressed image of format `{form}`",
        expected=f"pixels of {', '.join(held)}, or only the codec, such as `jpeg`",
        got=f"`{name}`",
        remedy="Let the publisher convert the image before it compresses it, and state this in `format`.",
    )
