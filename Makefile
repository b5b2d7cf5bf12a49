# kubeque: `make help` says what there is.
MODE ?= release
CC = gcc
PREFIX ?= /usr/local
ifdef SANITIZE
MODE = asan
endif
BUILD ?= build
OBJ = $(BUILD)/obj-$(MODE)

LAYERS = base model sys net queue cas nodes work script cli
PKGS_STATIC = lua5.4 lua5.4-cjson jansson inih sqlite3
PKGS = libcrypto
CPPFLAGS += -D_GNU_SOURCE -Isrc $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS_STATIC) $(PKGS)))
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
LDLIBS = -Wl,-Bstatic $(shell pkg-config --libs $(PKGS_STATIC)) -Wl,-Bdynamic $(shell pkg-config --libs $(PKGS)) -lm -ldl -lpthread

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

$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BIN): $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LDLIBS)

# tests/unit/<layer>_<name>.c
upto = $(if $(filter $(1),$(firstword $(2))),$(1),$(firstword $(2)) $(if $(2),$(call upto,$(1),$(wordlist 2,99,$(2)))))
layer_of = $(firstword $(subst _, ,$(notdir $(1))))
test_archives = $(foreach l,$(call upto,$(call layer_of,$(1)),$(LAYERS)),$(if $(call srcs,$(l)),$(OBJ)/lib$(l).a))
TESTS_C = $(patsubst tests/%.c,$(OBJ)/tests/%,$(wildcard tests/unit/*.c tests/contract/*.c))
.SECONDEXPANSION:
$(OBJ)/tests/%: tests/%.c tests/tap.h $$(call test_archives,%)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

tests-c: $(TESTS_C)

clean:
	rm -rf $(BUILD)

.PHONY: all clean tests-c
-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
