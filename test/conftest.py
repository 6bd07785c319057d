"""Settings and options of all tests."""

import torch

# The networks of the tests are tiny: more threads do not help, and on a busy machine they spin for seconds.
torch.set_num_threads(1)


def pytest_addoption(parser):
    parser.addoption("--regenerate-golden", action="store_true", help="write new loss curves to test/train/golden")
    parser.addoption("--record-faults", action="store_true", help="write benchmarks/results/faults.json")
