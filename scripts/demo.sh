#!/bin/sh
# The main job on real input: 24 tiles of the Mandelbrot set, fetched and put together into a PNG.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
kubeque=${KUBEQUE:-$top/build/kubeque}
out=${DEMO_DIR:-$top/demo-results}

cd "$top/examples/sample-job"
rm -rf "$out/tiles"
mkdir -p "$out"
"$kubeque" sub --params params.csv --fetch "$out/tiles" \
	python3 '^mandelbrot.py' '{x_scale}' '{y_scale}' '{zoom}'
python3 montage.py "$out/tiles" "$out/mandelbrot.png"
echo "The picture is $out/mandelbrot.png; what each task left lies under $out/tiles/."
