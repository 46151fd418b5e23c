# Worked examples; included by the Makefile.

##@ Bring your own network
example: .venv/.dev .venv/.example  ## train with Brevitas (two minutes), import, verify, run
	@test -d $(DATASET) || { echo "$(DATASET) is missing: apt install dataset-fashion-mnist, \
	or make example DATASET=DIRECTORY"; exit 2; }
	PATH="$(CURDIR)/$(VENV):$$PATH" examples/bring_your_own/run.sh $(DATASET) build/bring_your_own

test-brevitas: .venv/.dev .venv/.example  ## random networks by every exporter of Brevitas, nightly
	$(VENV)/pytest -s -m nightly tests/examples/test_brevitas.py

.venv/.example: pyproject.toml | .venv/bin/python
	$(PIP) $(INSTALL) --editable '.[example]'
	@touch $@
