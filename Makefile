# Lampo: one Makefile, no recursion.  `make help` lists what it makes.
#
#   BUILD=release   -O2, what is installed (default)
#   BUILD=debug     -O0
#   BUILD=asan      AddressSanitizer and UndefinedBehaviorSanitizer
#   BUILD=fuzz      clang, libFuzzer and both sanitizers

BUILD ?= release
OUT := build/$(BUILD)
GEN := build/gen
VERSION := $(shell cat VERSION)
PREFIX ?= /usr/local
PKG_CONFIG ?= pkg-config
OBJCOPY ?= objcopy

CORE_PACKAGES := libsecp256k1 nettle
EDGE_PACKAGES := libuv sqlite3 jansson libevent_extra libevent_core

ifeq ($(BUILD),release)
  OPT := -O2 -g
else ifeq ($(BUILD),debug)
  OPT := -O0 -g
else ifeq ($(BUILD),asan)
  OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
else ifeq ($(BUILD),fuzz)
  CC := clang
  OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
  FUZZ_LINK := -fsanitize=fuzzer
else
  $(error BUILD is release, debug, asan or fuzz)
endif

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
  -Wpointer-arith -Wvla -Wwrite-strings -Wundef -Wformat=2
CFLAGS := -std=c11 $(OPT) $(WARN) -fPIC -fvisibility=hidden -fstack-protector-strong $(EXTRA_CFLAGS)
CPPFLAGS := -D_GNU_SOURCE -DLAMPO_VERSION='"$(VERSION)"' -Icore -I$(GEN) -Iinclude -I. \
  $(shell $(PKG_CONFIG) --cflags $(CORE_PACKAGES) $(EDGE_PACKAGES) libcurl)
CORE_LIBS := $(shell $(PKG_CONFIG) --libs $(CORE_PACKAGES))
EDGE_LIBS := $(shell $(PKG_CONFIG) --libs $(EDGE_PACKAGES)) -lpthread -ldl

# Generated code: spec/ is the source, scripts/wiregen the generator.
GEN_C := $(patsubst spec/%.csv,$(GEN)/wire/%.c,$(wildcard spec/*.csv))
GEN_H := $(GEN_C:.c=.h)

CORE_C := $(wildcard core/*/*.c)
EDGE_C := $(wildcard runtime/*/*.c) $(wildcard api/*/*.c)
CORE_O := $(CORE_C:%.c=$(OUT)/%.o) $(GEN_C:$(GEN)/%.c=$(OUT)/gen/%.o)
EDGE_O := $(EDGE_C:%.c=$(OUT)/%.o)

LIBCORE := $(OUT)/libcore.a
LIBLAMPO := $(OUT)/liblampo.a
LIBLAMPO_SO := $(OUT)/liblampo.so.0
PROGRAMS := $(OUT)/lampod-cli $(OUT)/lampo-cli

UNIT_C := $(wildcard tests/unit/*_test.c)
UNIT := $(UNIT_C:%.c=$(OUT)/%)
SIM_C := $(wildcard tests/sim/*.c)
# The simulator's chain, which tests and benchmarks use by themselves.
CHAIN_C := $(patsubst %,tests/sim/%.c,chain faucet funds invariants mempool mine offer policy trace)
CHAIN_O := $(CHAIN_C:%.c=$(OUT)/%.o)
# The tests' script interpreter.
SCRIPT_C := $(wildcard tests/script/*.c)
LIBSCRIPT := $(OUT)/libscript.a
FUZZ_C := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ := $(FUZZ_C:%.c=$(OUT)/%)
BENCH_C := $(wildcard bench/*.c)
BENCH := $(BENCH_C:%.c=$(OUT)/%)

.PHONY: all core unit sim fuzz bench programs lib install clean help
all: programs
help:
	@echo "make [BUILD=release|debug|asan|fuzz] all|core|programs|lib|unit|sim|fuzz|bench|install|clean"
core: $(LIBCORE)
lib: $(LIBLAMPO) $(LIBLAMPO_SO)
programs: $(PROGRAMS)
unit: $(UNIT)
fuzz: $(FUZZ)
bench: $(BENCH)

$(GEN)/wire/%.c $(GEN)/wire/%.h: spec/%.csv scripts/wiregen
	@mkdir -p $(GEN)/wire
	python3 scripts/wiregen $< $(GEN)/wire/$*

$(OUT)/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@
$(OUT)/gen/%.o: $(GEN)/%.c | $(GEN_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(LIBCORE): $(CORE_O)
	@rm -f $@
	$(AR) rcs $@ $^
$(LIBSCRIPT): $(SCRIPT_C:%.c=$(OUT)/%.o)
	@rm -f $@
	$(AR) rcs $@ $^
$(LIBLAMPO): $(CORE_O) $(EDGE_O)
	@rm -f $@
	$(AR) rcs $@ $^
$(LIBLAMPO_SO): $(CORE_O) $(EDGE_O) include/lampo/exports.map
	$(CC) $(CFLAGS) -shared -Wl,-soname,liblampo.so.0 -Wl,--version-script=include/lampo/exports.map \
	  $(CORE_O) $(EDGE_O) -o $@ $(CORE_LIBS) $(EDGE_LIBS)
	ln -sf liblampo.so.0 $(OUT)/liblampo.so

$(OUT)/lampod-cli: $(patsubst %.c,$(OUT)/%.o,$(wildcard cmd/lampod-cli/*.c)) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(OUT)/lampo-cli: $(patsubst %.c,$(OUT)/%.o,$(wildcard cmd/lampo-cli/*.c)) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)

# What links what, by the names of the programs.  Each is named to make, so that it looks for no rule: a search takes the first rule
# whose prerequisites are all there already, which is another one when some objects were made and others not.
TEST_O := $(OUT)/tests/test.o
PAIR_O := $(OUT)/tests/channel_pair.o
ROUTE_WORLD_O := $(OUT)/tests/route_world.o $(OUT)/tests/route_check.o $(OUT)/tests/route_pay.o
CMD_O := $(patsubst %.c,$(OUT)/%.o,$(filter-out %/main.c,$(wildcard cmd/*/*.c)))

# A unit test of the core links the core alone (and the tests' script interpreter); api_*, runtime_* and cmd_* tests link everything.
UNIT_CHANNEL := $(filter $(OUT)/tests/unit/channel_%_test,$(UNIT))
UNIT_ROUTE := $(filter $(OUT)/tests/unit/route_%_test,$(UNIT))
UNIT_EDGE := $(filter $(OUT)/tests/unit/api_%_test $(OUT)/tests/unit/runtime_%_test,$(UNIT))
UNIT_SIM := $(filter $(OUT)/tests/unit/sim_%_test,$(UNIT))
UNIT_CMD := $(filter $(OUT)/tests/unit/cmd_%_test,$(UNIT))
$(filter-out $(UNIT_CHANNEL) $(UNIT_ROUTE) $(UNIT_EDGE) $(UNIT_SIM) $(UNIT_CMD),$(UNIT)): %: %.o $(TEST_O) $(LIBSCRIPT) $(LIBCORE)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) -ljansson
$(UNIT_CHANNEL): %: %.o $(PAIR_O) $(TEST_O) $(LIBSCRIPT) $(LIBCORE)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) -ljansson
$(UNIT_ROUTE): %: %.o $(ROUTE_WORLD_O) $(TEST_O) $(LIBCORE)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) -ljansson
$(UNIT_EDGE): %: %.o $(TEST_O) $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(UNIT_SIM): %: %.o $(TEST_O) $(CHAIN_O) $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(UNIT_CMD): %: %.o $(TEST_O) $(CMD_O) $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)

sim: $(OUT)/sim
$(OUT)/sim: $(SIM_C:%.c=$(OUT)/%.o) $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)

FUZZ_CHANNEL := $(filter $(OUT)/tests/fuzz/channel_%_fuzz,$(FUZZ))
FUZZ_ROUTE := $(filter $(OUT)/tests/fuzz/route_%_fuzz,$(FUZZ))
$(FUZZ_CHANNEL): %: %.o $(PAIR_O) $(LIBLAMPO)
	$(CC) $(CFLAGS) $(FUZZ_LINK) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(FUZZ_ROUTE): %: %.o $(ROUTE_WORLD_O) $(LIBLAMPO)
	$(CC) $(CFLAGS) $(FUZZ_LINK) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(filter-out $(FUZZ_CHANNEL) $(FUZZ_ROUTE),$(FUZZ)): %: %.o $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $(FUZZ_LINK) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)

# The core's own benchmark drives nodes with the simulator's chain and wallet; verify and crowd speak for a whole network.
LOAD_O := $(patsubst %.c,$(OUT)/%.o,$(wildcard bench/load/*.c))
BENCH_CHAIN := $(OUT)/bench/core $(OUT)/bench/simchain
BENCH_LOAD := $(OUT)/bench/verify $(OUT)/bench/crowd
BENCH_ROUTE := $(filter $(OUT)/bench/route_%,$(BENCH))
$(BENCH_CHAIN): %: %.o $(CHAIN_O) $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(BENCH_LOAD): %: %.o $(LOAD_O) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(BENCH_ROUTE): %: %.o $(ROUTE_WORLD_O) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(filter-out $(BENCH_CHAIN) $(BENCH_LOAD) $(BENCH_ROUTE),$(BENCH)): %: %.o $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)

# What an embedder links statically: one object whose inner names are its own affair.
$(OUT)/install/liblampo.a: $(CORE_O) $(EDGE_O)
	@mkdir -p $(@D)
	@rm -f $@
	$(LD) -r $^ -o $(@D)/liblampo.o
	$(OBJCOPY) --localize-hidden $(@D)/liblampo.o
	$(AR) rcs $@ $(@D)/liblampo.o

install: $(PROGRAMS) $(LIBLAMPO_SO) $(OUT)/install/liblampo.a
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include/lampo $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 include/lampo/*.h $(DESTDIR)$(PREFIX)/include/lampo
	install -m 644 $(OUT)/install/liblampo.a $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(LIBLAMPO_SO) $(DESTDIR)$(PREFIX)/lib
	ln -sf liblampo.so.0 $(DESTDIR)$(PREFIX)/lib/liblampo.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@LIBS@|$(CORE_LIBS) $(EDGE_LIBS)|' \
	  include/lampo/lampo.pc.in >$(DESTDIR)$(PREFIX)/lib/pkgconfig/lampo.pc
	for page in man/*.[1-8]; do \
	  d=$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}; install -d $$d && install -m 644 $$page $$d || exit 1; done

clean:
	rm -rf build

.SECONDARY:
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
