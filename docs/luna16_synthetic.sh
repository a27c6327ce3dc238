#!/bin/sh
# From a download to a CPM on a small LUNA16 of phantoms: the commands of docs/luna16.md.
# Run it in a new folder, with this project's training configuration:
#
#   mkdir trial && cd trial && sh ../docs/luna16_synthetic.sh ../configs/train_luna16.yaml
#
# Two cores need a minute for the set, seconds to prepare it, and some 3 minutes per fold. A network
# learns little in 300 steps: this shows that every step works, not how well.
set -eu
config=$1

python -m hounsfield.data.phantom.synthetic_luna16 LUNA16 --scans 20
hounsfield prepare luna16 LUNA16 --out prepared/luna16
hounsfield train "$config" --out runs/luna16 --steps 300 --fold 0 --fold 1
hounsfield evaluate luna16 --annotations runs/luna16/folds-0-1/annotations.csv --excluded runs/luna16/folds-0-1/annotations_excluded.csv --series runs/luna16/folds-0-1/seriesuids.csv --predictions runs/luna16/folds-0-1/predictions.csv --out evaluation
