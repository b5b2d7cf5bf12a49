# kubeque: `make help` says what there is. Objects lie in build/obj-<mode>, so modes coexist.
MODE ?= release
CC ?= gcc
ifeq ($(origin CC),default)
CC = gcc
endif
PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
ifdef SANITIZE
MODE = asan
endif
BUILD ?= build
Q = $(if $(V),,@)
OBJ = $(BUILD)/obj-$(MODE)

LAYERS = base model sys net queue cas nodes work script cli
PKGS = lua5.4 lua5.4-cjson jansson inih sqlite3 libcrypto
# Only the headers: src/net loads the library when the first request is made.
HEADERS_OF = libcurl
CPPFLAGS += -D_GNU_SOURCE -iquote src $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS) $(HEADERS_OF)))
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wvla -Wundef -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion -Werror
HARDEN = -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -fPIE -fno-common
CFLAGS_release = -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
CFLAGS_debug = -Og -g
CFLAGS_asan = -O1 -g -fsanitize=address,undefined,float-cast-overflow -fno-omit-frame-pointer -fno-sanitize-recover=all
CFLAGS_tsan = -O1 -g -fsanitize=thread
CFLAGS += -std=gnu11 $(WARN) $(HARDEN) $(CFLAGS_$(MODE))
LDFLAGS += -pie -Wl,-z,relro,-z,now $(filter -fsanitize%,$(CFLAGS_$(MODE)))
LDLIBS = -Wl,-Bstatic $(shell pkg-config --libs $(PKGS)) -Wl,-Bdynamic -lm -ldl -lpthread

srcs = $(wildcard src/$(1)/*.c)
objs = $(patsubst %.c,$(OBJ)/%.o,$(call srcs,$(1)))
ifeq ($(MODE),release)
BIN = $(BUILD)/kubeque
else
BIN = $(BUILD)/kubeque-$(MODE)
endif

all: $(BIN)

# One archive a layer; a test of layer X links X and what is below it.
define layer_rule
$(OBJ)/lib$(1).a: $(call objs,$(1))
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))
ARCHIVES = $(foreach l,$(LAYERS),$(if $(call srcs,$(l)),$(OBJ)/lib$(l).a))

# The Lua scripts, compiled in: scripts/embed.lua.
LUA = lua5.4
LUA_FILES = $(sort $(shell find lua -name '*.lua'))
LUA_SET = $(OBJ)/gen/lua_set
$(OBJ)/libscript.a: $(LUA_SET).o
$(LUA_SET).c: scripts/embed.lua $(LUA_FILES) $(LUA_SET).list
	$(Q)$(LUA) scripts/embed.lua $(@D) $(LUA_FILES)
$(LUA_SET).list: FORCE
	@mkdir -p $(@D)
	@echo '$(LUA_FILES)' | cmp -s - $@ || echo '$(LUA_FILES)' > $@
FORCE:

$(LUA_SET).o: $(LUA_SET).c
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BIN): $(ARCHIVES)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LDLIBS)

# tests/unit/<layer>_<name>.c
upto = $(if $(filter $(1),$(firstword $(2))),$(1),$(firstword $(2)) $(if $(2),$(call upto,$(1),$(wordlist 2,99,$(2)))))
layer_of = $(firstword $(subst _, ,$(notdir $(1))))
test_archives = $(foreach l,$(call upto,$(call layer_of,$(1)),$(LAYERS)),$(if $(call srcs,$(l)),$(OBJ)/lib$(l).a))
TESTS_C = $(patsubst tests/%.c,$(OBJ)/tests/%,$(wildcard tests/unit/*.c tests/contract/*.c))
# The simulator is one program of several files.
SIM = $(OBJ)/tests/sim/simulator
TESTS_C += $(SIM)
$(SIM): $(patsubst %.c,$(OBJ)/%.o,$(wildcard tests/sim/*.c)) $(foreach l,base model sys queue,$(OBJ)/lib$(l).a)
	$(Q)$(CC) $(LDFLAGS) -o $@ -Wl,--start-group $^ -Wl,--end-group $(LDLIBS)
$(OBJ)/tests/sim/%.o: CPPFLAGS += -iquote tests
.SECONDEXPANSION:
$(OBJ)/tests/%: tests/%.c tests/tap.h $$(call test_archives,%)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

tests-c: $(TESTS_C)

## make            the optimised program, build/kubeque
## make demo       installs what is missing, runs examples/sample-job, leaves a picture
demo:
	@scripts/deps.sh demo
	@$(MAKE) --no-print-directory all
	@scripts/demo.sh

## make test       installs what is missing, builds, runs every test (SANITIZE=1: with ASan and UBSan)
test:
	@scripts/deps.sh test
	@$(MAKE) --no-print-directory -j$(JOBS) all tests-c
	@tests/run $(if $(ONLY),--only $(ONLY)) $(OBJ) $(BIN)

## make bench      measures speed against named peers and physical limits, prints a table
bench:
	@scripts/deps.sh bench
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@tests/bench/run $(BIN)

## make fuzz       libFuzzer targets (clang) in build/fuzz; run one: build/fuzz/fuzz_params -max_total_time=60
FUZZERS = $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
$(BUILD)/fuzz/%: tests/fuzz/%.c tests/fuzz/fuzz.h $(call srcs,base) $(call srcs,model)
	@mkdir -p $(@D)
	clang $(CPPFLAGS) -Itests/fuzz -std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o $@ $(filter %.c,$^) $(LDLIBS)
fuzz: $(FUZZERS)

## make lint       clang-tidy, cppcheck, luacheck, shellcheck, headers that compile alone
lint:
	@scripts/deps.sh lint
	@$(MAKE) --no-print-directory -j$(JOBS) all tests-c
	@scripts/lint.sh $(BUILD)/lint

## make docs       writes docs/commands.md, configuration.md and lua-reference.md from the program's own tables
docs: all
	@$(BIN) help --markdown >docs/commands.md.new && mv docs/commands.md.new docs/commands.md
	@$(BIN) config --markdown >docs/configuration.md.new && mv docs/configuration.md.new docs/configuration.md
	@$(BIN) help --lua-api=markdown >docs/lua-reference.md.new && mv docs/lua-reference.md.new docs/lua-reference.md

## make install    PREFIX=/usr/local: one file, bin/kubeque
install: all
	install -D -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/bin/kubeque

## make clean      removes build/
clean:
	rm -rf $(BUILD)

## make help       these lines
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

.PHONY: all clean docs tests-c demo test bench fuzz lint install help FORCE
-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
