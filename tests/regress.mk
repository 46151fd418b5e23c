# The regression; included by the Makefile. tests/README.md tells more.
SEEDS   ?= 2#        seeds for each bench of `make regress`; SEED=... repeats a whole run
FILTER  ?=#          of `make regress`: a regular expression on names of tests
CLUSTER ?=#          of `make regress`: address of a Dask scheduler
PREVIOUS ?=#         of `make regress`: JSON of the run to compare with
RUNS    ?= 200#      of each seeded test in `make seeds`
ONLY    ?= tests#    of `make seeds`: files and nodes of pytest
HOURS   ?= 8#        of `make soak`, those of before included; 0.5: half of one
SECONDS ?=#          then `make seeds` ends; called again, it goes on

##@ Every night
regress: .venv/.dev         ## every bench, random layers, whole networks; build/regress/report.html
	$(VENV)/python scripts/regress.py --seeds $(SEEDS) $(SEED_OPTION) \
	  $(if $(FILTER),--filter '$(FILTER)') $(if $(CLUSTER),--cluster $(CLUSTER)) \
	  $(if $(PREVIOUS),--previous $(PREVIOUS))
x: .venv/.dev               ## each bench of rtl/ two times with other unknowns: do its outputs differ? build/x/report.html
	X=1 $(VENV)/python scripts/regress.py --filter 'tests/rtl/test_qnn_' --seeds 1 $(SEED_OPTION) \
	  --out build/x
regress-smoke: .venv/.dev   ## the same in at most 10 minutes: one configuration of each bench, one seed
	$(VENV)/python scripts/regress.py --smoke $(SEED_OPTION)
regress-worker: .venv/.dev  ## this machine works for the scheduler at CLUSTER=tcp://host:8786
	@test -n "$(CLUSTER)" || { echo "say which: make regress-worker CLUSTER=tcp://host:8786"; exit 2; }
	$(VENV)/dask worker $(CLUSTER) --nworkers $$(nproc) --nthreads 1 --local-directory build/dask
seeds: .venv/.dev           ## RUNS fresh seeds for every seeded test: which fail, and what is left
	$(VENV)/python scripts/seeds.py --count $(RUNS) --jobs $(JOBS) $(addprefix --seconds ,$(SECONDS)) $(ONLY)
soak: .venv/.dev            ## HOURS of faults, stalls, resets and restarts with fresh seeds; a line an hour; build/soak.json
	$(VENV)/python scripts/soak.py --hours $(HOURS)
evidence: .venv/.dev        ## pack what was run at this commit, for others to check; build/evidence/evidence.html
	$(VENV)/python scripts/evidence.py
report: .venv/.run          ## write build/regress/report.html again, from result.json beside it
	$(VENV)/python scripts/regress_report.py

.PHONY: regress x regress-smoke regress-worker seeds soak evidence report
