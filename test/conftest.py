"""For all tests."""

import torch

# The networks here are tiny: a second thread only waits for the first, and on a busy machine spins for seconds.
torch.set_num_threads(1)


def pytest_addoption(parser):
    parser.addoption("--regenerate-golden", action="store_true", help="write the loss curves of test/train/golden anew")
