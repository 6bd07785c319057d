"""For all tests."""

import torch

# The networks here are tiny: a second thread only waits for the first, and on a busy machine spins for seconds.
torch.set_num_threads(1)
