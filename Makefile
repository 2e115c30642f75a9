# The front door. Each target forwards to a CMake preset or a script.

PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)
CTEST   = ctest --output-on-failure --no-tests=error -j $(JOBS)

# The thread sanitizer of gcc 12 cannot place its shadow memory where addresses are shuffled by
# more than 28 bits; so they are not shuffled, where that is allowed.
UNSHUFFLED = $(shell setarch -R true 2>/dev/null && echo setarch -R)

# $(call build,PRESET): configures when needed, and builds.
build = cmake --preset $(1) >/dev/null && cmake --build build/$(1) -j $(JOBS)

.NOTPARALLEL:
.PHONY: release demo test test-ci test-asan test-tsan test-clang test-arm64 setup soak bench \
	check install help

release: ## build/release/hypura (the default)
	@$(call build,release) --target hypura hypura_library hypura_pages

demo: ## install what is missing, build, and show the bundled model in a fraction of its memory
	@scripts/demo

test: setup test-asan test-tsan test-clang test-arm64 test-ci ## install what is missing, and run all tests but the long ones

setup:
	@scripts/setup

test-ci: ## the tests of the release build, where a warning is an error
	@$(call build,ci) -- --quiet
	@$(CTEST) --test-dir build/ci -LE soak

test-asan test-tsan test-clang test-arm64: test-%: ## the fast tests of another build
	@$(call build,$*) -- --quiet
	@$(if $(filter tsan,$*),$(UNSHUFFLED)) $(CTEST) --test-dir build/$* -L fast

soak: setup ## the long tests
	@$(call build,ci)
	@$(CTEST) --test-dir build/ci -L soak

bench: release ## measure this machine and the bundled model
	@scripts/bench

check: setup ## format, analyzer and spelling, beside what the tests check
	@scripts/check

install: release ## into PREFIX (/usr/local): program, header, library, manual page
	@cmake --install build/release --prefix "$(PREFIX)"

help: ## this list
	@sed -n 's/^\([a-z -]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | expand -t 12
