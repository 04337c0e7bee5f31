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
EDGE_PACKAGES := libuv sqlite3 jansson

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

# A unit test of the core links the core alone (and the tests' script interpreter); api_*, runtime_* and cmd_* tests link everything.
$(OUT)/tests/unit/%_test: $(OUT)/tests/unit/%_test.o $(OUT)/tests/test.o $(LIBSCRIPT) $(LIBCORE)
	$(CC) $(CFLAGS) $< $(OUT)/tests/test.o $(LIBSCRIPT) $(LIBCORE) -o $@ $(CORE_LIBS) -ljansson
$(OUT)/tests/unit/channel_%_test: $(OUT)/tests/unit/channel_%_test.o $(OUT)/tests/channel_pair.o $(OUT)/tests/test.o $(LIBSCRIPT) $(LIBCORE)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) -ljansson
ROUTE_WORLD_O := $(OUT)/tests/route_world.o $(OUT)/tests/route_check.o $(OUT)/tests/route_pay.o
$(OUT)/tests/unit/route_%_test: $(OUT)/tests/unit/route_%_test.o $(ROUTE_WORLD_O) $(OUT)/tests/test.o $(LIBCORE)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) -ljansson
$(OUT)/tests/unit/api_%_test: $(OUT)/tests/unit/api_%_test.o $(OUT)/tests/test.o $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $< $(OUT)/tests/test.o $(LIBSCRIPT) $(LIBLAMPO) -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(OUT)/tests/unit/runtime_%_test: $(OUT)/tests/unit/runtime_%_test.o $(OUT)/tests/test.o $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $< $(OUT)/tests/test.o $(LIBSCRIPT) $(LIBLAMPO) -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(OUT)/tests/unit/sim_%_test: $(OUT)/tests/unit/sim_%_test.o $(OUT)/tests/test.o $(CHAIN_O) $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
CMD_O := $(patsubst %.c,$(OUT)/%.o,$(filter-out %/main.c,$(wildcard cmd/*/*.c)))
$(OUT)/tests/unit/cmd_%_test: $(OUT)/tests/unit/cmd_%_test.o $(OUT)/tests/test.o $(CMD_O) $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)

sim: $(OUT)/sim
$(OUT)/sim: $(SIM_C:%.c=$(OUT)/%.o) $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)

$(OUT)/tests/fuzz/channel_%_fuzz: $(OUT)/tests/fuzz/channel_%_fuzz.o $(OUT)/tests/channel_pair.o $(LIBLAMPO)
	$(CC) $(CFLAGS) $(FUZZ_LINK) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(OUT)/tests/fuzz/route_%_fuzz: $(OUT)/tests/fuzz/route_%_fuzz.o $(ROUTE_WORLD_O) $(LIBLAMPO)
	$(CC) $(CFLAGS) $(FUZZ_LINK) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(OUT)/tests/fuzz/%_fuzz: $(OUT)/tests/fuzz/%_fuzz.o $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $(FUZZ_LINK) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
# The core's own benchmark drives nodes with the simulator's chain and wallet.
$(OUT)/bench/core $(OUT)/bench/simchain: $(OUT)/bench/%: $(OUT)/bench/%.o $(CHAIN_O) $(LIBSCRIPT) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
# What speaks for a whole network.
LOAD_O := $(patsubst %.c,$(OUT)/%.o,$(wildcard bench/load/*.c))
$(OUT)/bench/verify $(OUT)/bench/crowd: $(OUT)/bench/%: $(OUT)/bench/%.o $(LOAD_O) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(OUT)/bench/route_%: $(OUT)/bench/route_%.o $(ROUTE_WORLD_O) $(LIBLAMPO)
	$(CC) $(CFLAGS) $^ -o $@ $(CORE_LIBS) $(EDGE_LIBS)
$(OUT)/bench/%: $(OUT)/bench/%.o $(LIBLAMPO)
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
