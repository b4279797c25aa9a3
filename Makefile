PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.PHONY: setup demo test check

setup: $(INSTALLED)

$(INSTALLED): requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "Python 3.10 or newer is needed; make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -r requirements.txt
	touch $@

# The main job on what the repository ships: train a small model and score it on clips it never saw, then give a
# recording a moving face with the shipped weights.
demo: setup
	$(RUN) data_process/pack.py --config config/demo.yml
	$(RUN) scripts/train.py --config config/demo.yml --overwrite
	$(RUN) scripts/synthesize.py --ckpt_path result/demo/best.safetensors --wav_path dataset/demo/wav --out_path result/demo/csv
	$(RUN) scripts/evaluate.py --predictions result/demo/csv --targets dataset/demo/bs --stats result/demo/best.safetensors --unseen
	$(RUN) scripts/synthesize.py --wav_path dataset/demo/hello.flac --transcript_path dataset/demo/hello.tsv --out_path result/demo/hello.csv
	$(RUN) postprocess/smooth.py --input result/demo/hello.csv --output result/demo/hello_smooth.csv
	$(RUN) scripts/plot.py --csv result/demo/hello_smooth.csv --wav dataset/demo/hello.flac --transcript_path dataset/demo/hello.tsv --out_path result/demo/hello.png
	$(RUN) scripts/render.py --csv result/demo/hello_smooth.csv --wav dataset/demo/hello.flac --out result/demo/hello.mp4 --size 512
	$(RUN) scripts/view.py --csv result/demo/hello_smooth.csv --wav dataset/demo/hello.flac --transcript_path dataset/demo/hello.tsv --out result/demo/hello.html
	@echo; echo "curves: result/demo/hello_smooth.csv"; echo "plot:   result/demo/hello.png"
	@echo "movie:  result/demo/hello.mp4"; echo "page:   result/demo/hello.html (open it in a browser)"

test: check
	$(RUN) -m pytest

check: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy .
	@if [ -x node_modules/.bin/biome ]; then npx --no-install biome check --error-on-warnings; \
	else echo "JavaScript and CSS are not linted: npm install --no-package-lock brings biome"; fi
