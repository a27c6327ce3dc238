#!/bin/sh
# From a download to a CPM on a small LUNA16 of phantoms: the very commands of docs/luna16.md.
# Call it in a new folder, with the configuration of this project:
#
#   mkdir trial && cd trial && sh ../docs/luna16_synthetic.sh ../configs/train_luna16.yaml
#
# On two cores: a minute for the set, seconds to prepare it, and some 3 minutes a fold. 300 steps
# teach a network little: this shows that everything works, not how well.
set -eu
recipe=$1

python -m hounsfield.data.phantom.synthetic_luna16 LUNA16 --scans 20
hounsfield prepare luna16 LUNA16 --out prepared/luna16
hounsfield train "$recipe" --out runs/luna16 --steps 300 --fold 0 --fold 1
hounsfield evaluate luna16 --annotations runs/luna16/folds-0-1/annotations.csv --excluded runs/luna16/folds-0-1/annotations_excluded.csv --series runs/luna16/folds-0-1/seriesuids.csv --predictions runs/luna16/folds-0-1/predictions.csv --out evaluation
