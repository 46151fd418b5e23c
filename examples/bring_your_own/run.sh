#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Trains a network, imports it as "mine", compares every layer with the golden model on the CPU and
# on the simulated accelerator, and classifies a picture on both.
# usage: run.sh DATASET OUTPUT [options of train.py]
# example: run.sh /usr/share/datasets/fashion-mnist build/bring_your_own --epochs 1
set -euo pipefail
usage() {
  sed -n '3,6s/^# //p' "$0"
  exit "$1"
}
[ "${1:-}" != --help ] || usage 0
[ $# -ge 2 ] || usage 2
here=$(cd "$(dirname "$0")" && pwd)
dataset=$1 output=$2
bag=$here/../../params/samples/bag.png
mkdir -p "$output"
# The network stays with the example; without this line it is installed for you.
export QNN_HOME="$output/home"
set -x
python -W ignore "$here/train.py" --dataset "$dataset" --output "$output" "${@:3}"
qnn params import qonnx "$output/model.onnx" --name mine
qnn params info mine
qnn eval --model mine "$dataset"
qnn verify --model mine --backend cpu
qnn verify --model mine --backend sim
qnn classify "$bag" --model mine --backend cpu
qnn classify "$bag" --model mine --backend sim
