#!/bin/bash
# Classify a file of sequences as an array job of Slurm: one task a shard, then one that joins.
#
#     bash examples/slurm_array.sh my_model genome.fa.gz predictions.tsv 16
#
# Run on the login node, it submits both jobs. Tasks that fail or are preempted go on where they ended:
# run it again. The file has the bytes that `dnabert predict` alone would have written. The number
# format is named, for "auto" might choose another on another kind of node.
set -euo pipefail

if [ -z "${SLURM_ARRAY_TASK_ID:-}" ]; then
    model=$1 sequences=$2 output=$3 shards=${4:-16}
    job=$(sbatch --parsable --array "0-$((shards - 1))" --requeue --cpus-per-task "${CPUS:-4}" \
        --job-name dnabert "$0" "$model" "$sequences" "$output" "$shards")
    sbatch --dependency "afterok:$job" --job-name dnabert-join --wrap "dnabert join '$output'"
else
    export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
    dnabert predict "$1" "$2" -o "$3" --dtype "${DTYPE:-float32}" --shard "$SLURM_ARRAY_TASK_ID/$4"
fi
