# Short names for the usual work; `make` alone lists them. Targets that have nothing to do finish at once.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PRESET ?= release
JOBS ?= $(shell nproc)
FAST_TESTS ?= -LE slow
sources = $(shell scripts/list-files 'src/*.h' 'src/*.cpp' 'src/*.cu' 'src/*.cuh' 'tests/*.h' 'tests/*.cpp' \
	'bench/*.cpp' 'python/*.cpp' 'examples/*.cpp' 'cmake/*.cpp')

.PHONY: help setup build debug test test-avx2 demo format check-format check tidy asan cuda check-cuda bench-peers results docs api package check-python wheel clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup:  ## install what is missing: Debian packages, and libtorch into .deps
	@scripts/setup

build: setup  ## build the program: build/release/galore
	@scripts/build $(PRESET) $(JOBS) galore

debug:  ## build the program and its tests with debugging information: build/debug
	@scripts/setup --tests
	@scripts/build debug $(JOBS)

test:  ## build the program, its tests and the examples, then run all tests
	@scripts/setup --tests
	@scripts/build $(PRESET) $(JOBS)
	@ctest --test-dir build/$(PRESET) --output-on-failure -j$(JOBS)

test-avx2:  ## run all tests as on a processor with AVX2 only, on one thread
	@scripts/setup --tests
	@scripts/build $(PRESET) $(JOBS)
	@scripts/test-avx2 build/$(PRESET) $(JOBS)

demo: build  ## train a small LLaMA on the King James Bible: two to three minutes on two cores once built
	@scripts/demo

format:  ## rewrite the sources in the format of .clang-format
	@clang-format -i $(sources)

check-format:  ## fail when clang-format would change a source
	@clang-format --dry-run --Werror $(sources)

check:  ## order of inclusion, names of types, lengths, links and width of pages, shell and Python syntax
	@scripts/check-includes.py
	@scripts/check-names.py
	@scripts/check-lengths.py
	@scripts/check-docs.py
	@scripts/check-scripts

tidy:  ## clang-tidy over all sources (a quarter of an hour on two cores)
	@scripts/setup --tests --format
	@scripts/check-tidy

asan:  ## the fast tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/setup --tests
	@scripts/build asan $(JOBS)
	@scripts/asan-tests build/asan $(JOBS) $(FAST_TESTS)

cuda:  ## build the program and its tests with the CUDA kernels: build/cuda/galore
	@scripts/setup --tests --cuda
	@scripts/build cuda $(JOBS)

check-cuda:  ## compile the CUDA kernels and their tests, without linking: no GPU is needed
	@scripts/setup --tests --nvcc
	@scripts/check-cuda $(JOBS)

bench-peers: build  ## speed beside transformers + galore_torch, in the same minutes
	@scripts/bench-peers

results: build  ## the runs of docs/results.md (half an hour)
	@scripts/setup --results
	@scripts/results

docs: build  ## write the generated pages of docs/
	@build/$(PRESET)/galore methods --markdown >docs/methods.md

api:  ## the reference of the public headers: build/api/html; a warning of Doxygen is an error
	@scripts/setup --api
	@cmake -DGALORE_SOURCE=src -DGALORE_PUBLIC_HEADERS=build/api/include -P cmake/PublicHeaders.cmake
	@doxygen docs/Doxyfile

package: build  ## a Debian package of the program: build/release/galore_*.deb
	@scripts/setup --package
	@cd build/$(PRESET) && cpack -G DEB

check-python:  ## test the Python module with the objects of the program's build
	@scripts/setup --tests
	@scripts/check-python $(PRESET)

wheel:  ## a wheel of the Python module: dist/galore_cpp-*.whl
	@scripts/build-wheel

clean:  ## remove the builds; .deps and demo stay
	@rm -rf build dist
