"""Whether a goal image shows what the model's camera shows, or something of another kind."""

from collections import OrderedDict
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadImage
from hwm_core.world_model.model import WorldModel

_LEAST_DB = 20.0  # of the newest frame: a tokenizer that does not know its own camera tells nothing about a goal
_KEPT = 8  # goals whose answer is kept


class GoalCheck:
    """Rejects goals that the tokenizer reconstructs much worse, or much better, than the newest frame.

    A tokenizer reconstructs what it was trained on. Goals of the simulated tasks differ by up to 1.2 dB from the
    newest frame (24 goals of three tokenizers), noise, checkers and black by 10 dB and more. Images that are near the
    training data are not found: the same scene upside down or with red and blue swapped differs by 2 to 4 dB.

    Args:
        world_model: whose tokenizer knows the camera.
        tolerance_db: largest difference of the PSNR; 0: no check.
    """

    def __init__(self, world_model: WorldModel, tolerance_db: float) -> None:
        self._world_model, self._tolerance_db = world_model, tolerance_db
        self._known: OrderedDict[bytes, None] = OrderedDict()  # goals that passed

    def require(self, goal: NDArray[np.uint8], newest: NDArray[np.uint8]) -> None:
        """Check a goal image against the newest frame, both [H, W, 3] preprocessed; once for each goal.

        Raises:
            BadImage: a goal of another kind.
        """
        key = sha256(goal.tobytes()).digest()
        if self._tolerance_db == 0 or key in self._known:
            return
        of_goal, of_newest = self._psnr(goal, newest)
        if of_newest >= _LEAST_DB and abs(of_goal - of_newest) > self._tolerance_db:
            raise BadImage(
                "goal image",
                expected=f"an image of the model's camera, that its tokenizer reconstructs about as well as the newest"
                f" frame ({of_newest:.1f} dB)",
                got=f"{of_goal:.1f} dB",
                remedy="Take the goal image with the robot's camera in its scene, or raise `live.goal_tolerance_db`.",
            )
        self._known[key] = None
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def _psnr(self, *images: NDArray[np.uint8]) -> list[float]:
        """PSNR in dB of the reconstruction of each image, as a still clip."""
        frames = 1 + self._world_model.model.config.temporal_factor
        stills = np.stack([np.broadcast_to(image, (frames, *image.shape)) for image in images])
        errors = self._world_model.reconstruct(stills)[:, -1].astype(np.float64) - np.stack(images)
        squares = np.square(errors).mean(axis=(1, 2, 3))
        return [float(10 * np.log10(255**2 / max(square, 1e-6))) for square in squares]
