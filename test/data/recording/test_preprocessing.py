"""Preprocessing: crop, size and repeated images."""

import numpy as np
import pytest

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.errors import BadConfig, BadImage


def test_images_of_any_aspect_are_cropped_to_a_square():
    with pytest.raises(BadConfig, match="`crop` to be `centre_square`"):
        Preprocessing.parse({"source_aspect": 0, "crop": "none"})
    column = np.arange(9, dtype=np.uint8)  # of the image; its centre square has columns 3, 4 and 5
    shown = Preprocessing(source_aspect=0, height=1, width=1).apply(np.broadcast_to(column[None, :, None], (3, 9, 3)))
    assert shown.tolist() == [[[4, 4, 4]]]


AT_30_HZ = Preprocessing(source_aspect=4 / 3, frame_rate_hz=30)


def test_the_centre_square_is_resized_by_area():
    # 8x6: the square is columns 1..6; 6x6 to 3x3 averages 2x2 pixels.
    image = np.zeros((6, 8, 3), dtype=np.uint8)
    image[:, 0], image[:, 7] = 255, 255
    image[0, 1:3], image[1, 1:3] = 100, 200
    small = Preprocessing(source_aspect=8 / 6, height=3, width=3).apply(image)
    assert small[..., 0].tolist() == [[150, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_the_margins_are_removed_before_the_centre_square():
    # 8x12: the margins remove 3 rows at the top, 1 at the bottom, and the right half. 4x6 remains, its square is 1..4.
    image = np.full((8, 12, 3), 255, dtype=np.uint8)
    image[3:7, 1:5] = np.random.default_rng(0).integers(0, 200, (4, 4, 3))
    cropped = Preprocessing(source_aspect=12 / 8, margins=(3 / 8, 1 / 8, 0, 0.5), height=4, width=4)
    assert np.array_equal(cropped.apply(image), image[3:7, 1:5])
    with pytest.raises(BadImage, match="another aspect"):  # the aspect of the whole image is checked
        cropped.apply(image[:, :6])


def test_margins_that_leave_no_pixels_are_rejected():
    for margins in ((0.5, 0.5, 0, 0), (0, 0, 0.7, 0.4), (-0.1, 0, 0, 0)):
        with pytest.raises(BadConfig, match="`margins` to be four shares"):
            Preprocessing.parse({"source_aspect": 1.0, "margins": margins})
    with pytest.raises(BadImage, match="leave a pixel"):
        Preprocessing(source_aspect=1.0, margins=(0.6, 0.3, 0, 0)).apply(np.zeros((1, 1, 3), dtype=np.uint8))


def test_without_a_crop_the_whole_image_is_kept():
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    assert np.array_equal(Preprocessing(source_aspect=8 / 6, crop="none", height=6, width=8).apply(image), image)


def test_another_size_of_the_same_aspect_is_accepted_and_another_aspect_rejected():
    for height, width in ((480, 640), (240, 320), (478, 640)):
        assert AT_30_HZ.apply(np.zeros((height, width, 3), dtype=np.uint8)).shape == (64, 64, 3)
    with pytest.raises(BadImage, match=r"1\.333.*1280x720"):
        AT_30_HZ.apply(np.zeros((720, 1280, 3), dtype=np.uint8))


@pytest.mark.parametrize("shape", [(480, 640), (480, 640, 4), (0, 640, 3)])
def test_an_array_that_is_not_a_colour_image_is_rejected(shape):
    with pytest.raises(BadImage):
        AT_30_HZ.apply(np.zeros(shape, dtype=np.uint8))


def test_preprocessing_survives_yaml_and_rejects_a_misspelt_key():
    assert Preprocessing.parse(AT_30_HZ.plain()) == AT_30_HZ
    with pytest.raises(BadConfig, match="Did you mean `crop`"):
        Preprocessing.parse({"source_aspect": 1.0, "corp": "none"})
