#!/usr/bin/env bash
# Record, train and tune the planning checkpoint (preset `plan`) in one folder. Run it again to resume.
#
#   make planning-checkpoint                five processor hours of CPU cores, in all: as much as the checkpoint that ships
#   make planning-checkpoint DEVICE=cuda    one GPU and many cores: twelve minutes of wall time
#   make planning-checkpoint SMOKE=1        a rehearsal of either in two minutes; the result is useless
#
# RUN: working folder (runs/plan). The checkpoint is RUN/tuned/checkpoint; each of its files is smaller than 16 MiB.
set -euo pipefail

RUN=${RUN:-runs/plan}
DEVICE=${DEVICE:-cpu}

if [ -n "${SMOKE:-}" ]; then
  random=2 skills=2 planner=1 validation=1
  tokenizer=(train_tokenizer.steps=20) model=(train.steps=20) decoder=(tune_decoder.steps=5)
  settings=(data.validation_windows=4)
elif [ "$DEVICE" = cpu ]; then
  random=145 skills=870 planner=1100 validation=8
  tokenizer=(train_tokenizer.steps=10000000 train_tokenizer.max_minutes=18 train_tokenizer.clock=processor)
  model=(
    train.steps=10000000 train.max_minutes=127 train.clock=processor train.schedule=cosine train.ema_decay=0.998
  )
  decoder=(tune_decoder.steps=800)
  settings=()
else  # 4 minutes for the data, 1.5 for the tokenizer, 5 for the model, 0.5 for the decoder
  random=600 skills=900 planner=1500 validation=12
  tokenizer=(train_tokenizer.steps=10000000 train_tokenizer.max_minutes=1.5 train_tokenizer.batch_size=16)
  model=(train.steps=10000000 train.max_minutes=5 train.batch_size=64 train.schedule=cosine train.ema_decay=0.998)
  decoder=(tune_decoder.max_minutes=0.5 tune_decoder.batch_size=16)
  settings=(train.workers=4 train_tokenizer.workers=4)
fi

resume() { if compgen -G "$1/state*" > /dev/null; then echo --resume; fi; }

hwm sim record --out "$RUN/random" --train $random --val $validation --processes "$(nproc)"
hwm sim record --out "$RUN/skills" --train $skills --val $validation --processes "$(nproc)" --motion skills
hwm sim record --out "$RUN/planner" --train $planner --val $validation --processes "$(nproc)" --motion planner
hwm prepare "$RUN/random/train" "$RUN/skills/train" "$RUN/planner/train" \
  --validation "$RUN/random/val" "$RUN/skills/val" "$RUN/planner/val" \
  --robot "$RUN/skills/robot.yaml" --rate 15 --out "$RUN/store" --workers "$(nproc)"
hwm train-tokenizer --preset plan --data "$RUN/store" --out "$RUN/tokenizer" --device "$DEVICE" \
  $(resume "$RUN/tokenizer") "${tokenizer[@]}" "${settings[@]}"
hwm tokenize "$RUN/store" --tokenizer "$RUN/tokenizer/tokenizer" --latents 6 --stride 4 \
  --out "$RUN/tokens" --device "$DEVICE"
hwm train --preset plan --data "$RUN/tokens" --tokenizer "$RUN/tokenizer/tokenizer" --out "$RUN/model" \
  --device "$DEVICE" $(resume "$RUN/model") "${model[@]}" "${settings[@]}"
hwm tune-decoder --preset plan --data "$RUN/store" --checkpoint "$RUN/model/checkpoint" --out "$RUN/tuned" \
  --device "$DEVICE" $(resume "$RUN/tuned") "${decoder[@]}" "${settings[@]}"
hwm measure-surprise --checkpoint "$RUN/tuned/checkpoint" --store "$RUN/store" --device "$DEVICE"
find "$RUN/tuned/checkpoint" -type f -size +16M -exec echo "larger than 16 MiB: {}" \; -exec false {} +
echo "Checkpoint: $RUN/tuned/checkpoint"
