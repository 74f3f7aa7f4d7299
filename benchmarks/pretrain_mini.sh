#!/usr/bin/env bash
# How the checkpoint dnabert-6-mini was pretrained, from human.fa.gz (records of GRCh38, GRCh37 and
# GenBank, 32.6 Mb; its model card names them) to the folder in src/dnabert_hf/checkpoints.
#
#     benchmarks/pretrain_mini.sh human.fa.gz work-folder [pieces.tsv.gz]
#
# pieces.tsv.gz is the table of where the records come from (see package_checkpoint.py).
#
# Six stages of two processes: 126 k-mers at first, for that is two thirds of the price a token, then
# 510, and both once more. Stages 1 to 3 and 5 hand over before their learning rate has come down: in
# the run that made the shipped checkpoint, SIGTERM stopped them at these steps of longer schedules,
# which comes to the same learning rates. Give it again to go on where it was stopped.
set -euo pipefail
genome=$1 work=$2 pieces=${3:+--pieces=$3}
mkdir -p "$work"
export OMP_NUM_THREADS=1
held_out=(--held-out human_0001 --held-out human_0002 --held-out human_0003)
held_out+=(--held-out human_0004 --held-out human_0005 --held-out human_0006)

stage() { # number, options
    local number=$1
    shift
    [ -e "$work/stage$number/metrics.json" ] && return
    torchrun --nproc-per-node 2 --no-python dnabert pretrain "$genome" -o "$work/stage$number" \
        --preset mini --recipe segments=cut "${held_out[@]}" --resume "$@"
}
decay() { # last learning rate
    echo --set lr_scheduler_type=polynomial --set "lr_scheduler_kwargs={\"lr_end\":$1,\"power\":1.0}"
}

# shellcheck disable=SC2046
stage 1 --max-tokens 126 --steps 1759 --batch-size 24 --learning-rate 3e-3 --seed 1 \
    --set warmup_steps=100 $(decay 2.6393e-3)
# shellcheck disable=SC2046
stage 2 --init "$work/stage1" --max-tokens 126 --steps 990 --batch-size 32 --learning-rate 1.2e-3 \
    --seed 2 --set warmup_steps=50 $(decay 8.814e-4)
# shellcheck disable=SC2046
stage 3 --init "$work/stage2" --recipe extend_from=126 --steps 952 --batch-size 8 \
    --learning-rate 1e-3 --seed 3 --set warmup_steps=50 $(decay 7.459e-4)
stage 4 --init "$work/stage3" --steps 1300 --batch-size 8 --learning-rate 7.7e-4 --seed 4 \
    --set warmup_steps=20
# shellcheck disable=SC2046
stage 5 --init "$work/stage4" --max-tokens 126 --steps 2231 --batch-size 32 --learning-rate 2e-3 \
    --seed 5 --set warmup_steps=50 $(decay 1.3079e-3)
stage 6 --init "$work/stage5" --recipe extend_from=126 --steps 1000 --batch-size 8 \
    --learning-rate 1.2e-3 --seed 6 --set warmup_steps=20
python "$(dirname "$0")/package_checkpoint.py" "$work"/stage{1,2,3,4,5,6} --name dnabert-6-mini \
    --genome "$genome" "${held_out[@]}" --script benchmarks/pretrain_mini.sh ${pieces:+"$pieces"}
