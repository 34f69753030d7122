# Habits of the hand; the build itself is Meson's (meson.build).
B ?= build
NINJA = ninja -C $(B)

.PHONY: all deps deps-check deps-bench demo check check-all sanitize bench fuzz coverage lint format install clean
all: $(B)/build.ninja
	@$(NINJA) --quiet
$(B)/build.ninja: | deps
	@meson setup $(B) . > /dev/null

deps:
	@bin/deps build
deps-check: deps
	@bin/deps check
deps-bench: deps
	@bin/deps bench

demo: deps all
	@bin/demo
check: deps-check all
	@tests/run check
check-all: deps-check all
	@tests/run check-all
coverage: deps-check
	@tests/coverage
bench: deps-bench all
	@tests/bench/run
fuzz: deps-check
	@tests/fuzz/search $(or $(T),60)
lint: deps-check all
	@tests/lint
format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i
install: all
	@meson install -C $(B)
clean:
	@rm -rf build build-*
