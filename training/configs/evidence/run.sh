#!/usr/bin/env bash
# Table 2 of the paper with igr-small's architecture, on a coarse set with 40% bad pairs.
#   run.sh data          curate, and prepare the three sets (once)
#   run.sh coarse N      the coarse stage of one training seed, with and without GarmNet
#   run.sh seed N        train and score the four rows with that seed; run it again to resume
#   run.sh table         write the table over all scored seeds into docs/evaluation.md
set -euo pipefail
cd "$(dirname "$0")/../../.."
python=${PYTHON:-.venv/bin/python}
configs=training/configs/evidence
runs=runs/hqft

prepare() { # arguments: name of the prepared set, then options that select its pairs
    local out=$1
    shift
    "$python" -m training prepare "$configs/coarse.yaml" "$@" --out "$runs/$out" --workers "${WORKERS:-1}"
}

train() { # arguments: config, run folder, further options; a complete run with the same settings is not repeated
    local config=$1 run=$2
    shift 2
    "$python" -m training train "$configs/$config.yaml" --run "$run" "$@"
    [ -f "$run/bundle.safetensors" ] && [ -z "$(find "$run/checkpoints" -newer "$run/bundle.safetensors" -name '*.pt')" ] \
        && return
    "$python" -m training export "$run" --out "$run/bundle.safetensors" --name "${run##*/}" \
        --data "3,000 drawn pairs, 40% of them bad"
}

case ${1:-} in
data)
    [ -d "$runs/vae" ] || "$python" -m training unpack --out "$runs"
    "$python" -m training data draw --out "$runs/heldout" --count 160 --start 10000000
    prepare latents_heldout --drawn "$runs/heldout"
    prepare latents --data "$configs/pairs.yaml"
    "$python" -m training curate score "$configs/pairs.yaml" --out "$runs/curation"
    prepare latents_hqft --data "$configs/pairs_hqft.yaml"
    prepare latents_random --data "$configs/pairs_random.yaml"
    ;;
coarse)
    for model in coarse coarse_no_garmnet; do
        train "$model" "$runs/seed-$2/$model" --set "seed=$2"
    done
    ;;
seed)
    at="$runs/seed-$2"
    "$0" coarse "$2"
    for row in hqft random coarse; do
        train "fine_$row" "$at/fine_$row" --set "seed=$2" --set "init_bundle=$at/coarse/bundle.safetensors"
    done
    train fine_no_garmnet "$at/fine_no_garmnet" --set "seed=$2" \
        --set "init_bundle=$at/coarse_no_garmnet/bundle.safetensors"
    ;;
table)
    "$python" -m training evaluate run training/configs/evaluation/table2_seeds.yaml --out out/table2_seeds
    "$python" -m training evaluate results --keep out/table2_seeds
    ;;
*)
    sed -n 's/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
