# Diptych. `make help` lists the targets.

BUILD   ?= build
PREFIX  ?= /usr/local
CC      ?= gcc
CXX     ?= g++
VERSION := 0.1.0
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

# As many jobs as there are processors, unless the command line says otherwise;
# a make within this one shares its jobs.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

# Folders in the order of their dependencies; the include table of docs/tour.md
# says who may include whom, and `make lint` enforces it.
MODULES := base tensor image data losses models train eval report export sweep

PACKAGES := hdf5 libfyaml jansson libjpeg spng libwebp libutf8proc libcrypto zlib \
            sentencepiece libprotobuf-c
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm
TORCH      := $(shell tools/find-libtorch 2>/dev/null)
ORT        := $(shell tools/find-onnxruntime 2>/dev/null)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
OPTIMISE ?= -O3 -g
SANITIZE ?=
# Recipes that build something need the packages and libraries first; after the
# installation make must look for them anew, hence the second make.
READY    := $(if $(and $(PKG_CFLAGS),$(TORCH),$(ORT),$(wildcard /usr/include/cmocka.h),$(wildcard /usr/include/faiss/Index.h)),yes)
COMMON   := -I. -D_GNU_SOURCE -DDIP_VERSION='"$(VERSION)"' $(OPTIMISE) \
            $(SANITIZE) -fopenmp -fPIC -MMD -MP
CFLAGS   := -std=c17 $(WARNINGS) $(COMMON) $(PKG_CFLAGS)
CXXFLAGS := -std=c++20 -Wall -Wextra -Wshadow -Werror $(COMMON) \
            -isystem $(TORCH)/include \
            -isystem $(TORCH)/include/torch/csrc/api/include
LDFLAGS  := $(SANITIZE) -fopenmp -Wl,--as-needed
# A CUDA build of libtorch registers its kernels when it is loaded, so it must
# be linked although no symbol of it is named.
CUDA_LIBS  := $(if $(wildcard $(TORCH)/lib/libtorch_cuda.so),-Wl$(comma)--no-as-needed -ltorch_cuda -lc10_cuda)
comma      := ,
# FAISS takes its matrix products from libtorch where that exports them, which
# are several times as fast as those of the reference BLAS behind it.
# Both SentencePiece and libtorch have an object FLAGS_minloglevel, the former
# the larger one: the linker gives both the one that it meets first.
TORCH_LIBS := $(shell pkg-config --libs sentencepiece 2>/dev/null) -lfaiss \
              -L$(TORCH)/lib -Wl,-rpath,$(TORCH)/lib -ltorch_cpu -lc10 $(CUDA_LIBS) \
              -llapack -lblas

lib_of = $(BUILD)/libdip_$(1).a
LIBS  := $(foreach m,$(MODULES),$(call lib_of,$m))
# Static archives are searched once each, so users stand before their needs.
PLAIN_LIBS := $(foreach m,data image base,$(call lib_of,$m))
MODEL_LIBS := $(foreach m,sweep export report eval train models losses tensor data image base,$(call lib_of,$m))

.PHONY: all
all: programs

define module_rules
SRC_$(1) := $$(wildcard $(1)/*.c) $$(wildcard $(1)/*.cc)
OBJ_$(1) := $$(SRC_$(1):%=$$(BUILD)/%.o)
$$(call lib_of,$(1)): $$(OBJ_$(1))
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach m,$(MODULES) apps,$(eval $(call module_rules,$m)))

$(BUILD)/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "cc  $<"
	@$(CC) $(CFLAGS) -c -o $@ $<

$(BUILD)/%.cc.o: %.cc
	@mkdir -p $(@D)
	@echo "c++ $<"
	@$(CXX) $(CXXFLAGS) -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# The messages of ONNX files, from the schema that Debian's libonnx-dev has. What
# protoc-c writes converts between integers as it likes.
ONNX_PROTO ?= /usr/include/onnx/onnx.proto
$(BUILD)/export/onnx.pb-c.c: $(ONNX_PROTO)
	@mkdir -p $(@D)
	@echo "gen $@"
	@protoc-c --proto_path=$(dir $<) --c_out=$(@D) $(notdir $<)
$(BUILD)/export/onnx.pb-c.o: $(BUILD)/export/onnx.pb-c.c
	@echo "cc  $<"
	@$(CC) $(filter-out -Wconversion -Wpedantic -Wshadow,$(CFLAGS)) -c -o $@ $<
ONNX_USERS := $(patsubst %,$(BUILD)/%.o,$(SRC_export) $(wildcard tests/export/*.c))
$(ONNX_USERS): CFLAGS += -isystem $(BUILD)/export
$(ONNX_USERS): | $(BUILD)/export/onnx.pb-c.c
$(call lib_of,export): $(BUILD)/export/onnx.pb-c.o

# Branches on floating-point numbers become masks only if no comparison may
# trap; NaN stays NaN.
$(BUILD)/losses/blocked_loops.c.o: CFLAGS += -fno-trapping-math

# ONNX Runtime is loaded at run time, from here where nothing else is said.
ORT_USERS := $(BUILD)/export/onnxruntime_library.c.o $(BUILD)/tests/export/test_onnxruntime.c.o
$(ORT_USERS): CFLAGS += -DDIP_ONNXRUNTIME='"$(ORT)"'
$(ORT_USERS): $(BUILD)/onnxruntime

# ---- programs ---------------------------------------------------------------

# The launcher needs nothing but base; the commands on catalogs and reports no
# libtorch.
APP_SRC      := $(wildcard apps/*.c)
CATALOG_APPS := catalog_main cmd_import cmd_inspect cmd_audit cmd_synth cmd_compare import_graph import_logs import_clicks import_copurchases cli dispatch
MODEL_APPS   := $(filter-out main catalog_main cmd_import cmd_inspect cmd_audit cmd_synth cmd_compare import_graph import_logs import_clicks import_copurchases,$(APP_SRC:apps/%.c=%))
app_objects   = $(1:%=$(BUILD)/apps/%.c.o)
PROGRAMS     := $(BUILD)/diptych $(BUILD)/diptych-catalog $(BUILD)/diptych-model

# Runs record the commit, so it is compiled anew when that changes.
$(BUILD)/apps/version.c.o: CFLAGS += -DDIP_COMMIT='"$(COMMIT)"'
$(BUILD)/apps/version.c.o: $(BUILD)/commit
.PHONY: always
$(BUILD)/commit: NOTED = $(COMMIT)
$(BUILD)/onnxruntime: NOTED = $(ORT)
$(BUILD)/commit $(BUILD)/onnxruntime: always
	@mkdir -p $(@D)
	@echo '$(NOTED)' | cmp -s - $@ || echo '$(NOTED)' >$@
$(BUILD)/diptych: $(call app_objects,main version) $(call lib_of,base)
	@echo "ld  $@"
	@$(CC) $(LDFLAGS) -o $@ $^
$(BUILD)/diptych-catalog: $(call app_objects,$(CATALOG_APPS)) $(call lib_of,report) $(call lib_of,eval) $(PLAIN_LIBS)
	@echo "ld  $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
$(BUILD)/diptych-model: $(call app_objects,$(MODEL_APPS)) $(MODEL_LIBS)
	@echo "ld  $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(TORCH_LIBS) $(PKG_LIBS)

# ---- benchmarks --------------------------------------------------------------

BENCH_BIN := $(BUILD)/bench/bench_loader $(BUILD)/bench/bench_step \
             $(BUILD)/bench/bench_tokenizer $(BUILD)/bench/bench_blocked \
             $(BUILD)/bench/bench_topk $(BUILD)/bench/bench_graph
.SECONDARY: $(BENCH_BIN:%=%.c.o) $(BUILD)/bench/serve.c.o
$(BUILD)/bench/bench_loader $(BUILD)/bench/bench_tokenizer $(BUILD)/bench/bench_graph: %: %.c.o $(BUILD)/bench/serve.c.o $(PLAIN_LIBS)
	@echo "ld  $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
$(BUILD)/bench/bench_step: $(BUILD)/bench/bench_step.c.o $(BUILD)/bench/serve.c.o $(foreach m,train models losses tensor data image base,$(call lib_of,$m))
	@echo "ld  $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(TORCH_LIBS) $(PKG_LIBS)

$(BUILD)/bench/bench_blocked: $(BUILD)/bench/bench_blocked.c.o $(BUILD)/bench/serve.c.o $(foreach m,losses tensor base,$(call lib_of,$m))
	@echo "ld  $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(TORCH_LIBS) $(PKG_LIBS)

$(BUILD)/bench/bench_topk: $(BUILD)/bench/bench_topk.c.o $(BUILD)/bench/serve.c.o $(foreach m,eval tensor data image base,$(call lib_of,$m))
	@echo "ld  $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(TORCH_LIBS) $(PKG_LIBS)

# ---- tests: tests/<module>/test_*.c, one cmocka program each ----------------

TEST_SRC   := $(wildcard tests/*/test_*.c)
TEST_BIN   := $(TEST_SRC:%.c=$(BUILD)/%)
PLAIN_TEST := $(filter $(BUILD)/tests/base/% $(BUILD)/tests/image/% $(BUILD)/tests/data/% $(BUILD)/tests/sweep/%,$(TEST_BIN))
MODEL_TEST := $(filter-out $(PLAIN_TEST),$(TEST_BIN))

.SECONDARY: $(TEST_SRC:%=$(BUILD)/%.o)
# base and image tests need no HDF5 code, and must not wait for it to compile.
$(filter $(BUILD)/tests/base/%,$(TEST_BIN)): $(call lib_of,base)
$(filter $(BUILD)/tests/sweep/%,$(TEST_BIN)): $(call lib_of,sweep) $(call lib_of,base)
$(filter $(BUILD)/tests/image/%,$(TEST_BIN)): $(call lib_of,image) $(call lib_of,base)
$(filter $(BUILD)/tests/data/%,$(TEST_BIN)): $(PLAIN_LIBS)
$(PLAIN_TEST): $(BUILD)/%: $(BUILD)/%.c.o
	@echo "ld  $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

# The modules that a test of module M links: M and what it may include.
NEEDS_tensor := tensor base
NEEDS_losses := losses tensor base
NEEDS_models := models losses tensor data image base
NEEDS_eval   := eval tensor data image base
NEEDS_report := report eval tensor data image base
NEEDS_train  := train models losses tensor data image base
NEEDS_export := export eval models losses tensor data image base
define model_test_rule
$$(filter $$(BUILD)/tests/$(1)/%,$$(TEST_BIN)): $$(foreach m,$$(NEEDS_$(1)),$$(call lib_of,$$m))
endef
$(foreach m,tensor losses models eval report train export,$(eval $(call model_test_rule,$m)))
$(MODEL_TEST): $(BUILD)/%: $(BUILD)/%.c.o
	@echo "ld  $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(TORCH_LIBS) $(PKG_LIBS) -lcmocka

## unit-<module>: the unit tests of one folder, say `make unit-image`
.PHONY: $(MODULES:%=unit-%)
define unit_rule
unit-$(1): $$(filter $$(BUILD)/tests/$(1)/%,$$(TEST_BIN))
	@tools/run-tests $$^
endef
$(foreach m,$(MODULES),$(eval $(call unit_rule,$m)))

# What the comparisons with peers need beside the programs.
.SECONDARY: $(patsubst %,$(BUILD)/tests/parity/%.c.o,tokenize stats metrics)
$(BUILD)/tests/parity/tokenize: $(BUILD)/tests/parity/tokenize.c.o $(PLAIN_LIBS)
	@echo "ld  $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/tests/parity/stats $(BUILD)/tests/parity/metrics: %: %.c.o $(call lib_of,eval) $(BUILD)/tensor/tile.c.o $(BUILD)/tensor/tile_bf16.c.o $(PLAIN_LIBS)
	@echo "ld  $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

# ---- fuzzing: tests/fuzz/fuzz_*.c with the loop of tests/fuzz/driver.c -------

# Targets whose parser stands in a folder that sees tensors link libtorch.
FUZZ_MODEL := safetensors initial index state outcomes trec report learning
FUZZ       ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN   := $(FUZZ:%=$(BUILD)/tests/fuzz/fuzz_%)
FUZZ_PLAIN := $(filter-out $(FUZZ_MODEL:%=$(BUILD)/tests/fuzz/fuzz_%),$(FUZZ_BIN))
.SECONDARY: $(FUZZ_BIN:%=%.c.o) $(BUILD)/tests/fuzz/driver.c.o
# The loop notes every edge of what it runs: checked itself, it takes most of the
# time.
$(BUILD)/tests/fuzz/driver.c.o: CFLAGS := $(filter-out -fsanitize%,$(CFLAGS)) -O2
$(FUZZ_PLAIN): $(BUILD)/%: $(BUILD)/%.c.o $(BUILD)/tests/fuzz/driver.c.o $(PLAIN_LIBS)
	@echo "ld  $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
$(filter-out $(FUZZ_PLAIN),$(FUZZ_BIN)): $(BUILD)/%: $(BUILD)/%.c.o $(BUILD)/tests/fuzz/driver.c.o $(foreach m,report eval $(NEEDS_train),$(call lib_of,$m))
	@echo "ld  $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(TORCH_LIBS) $(PKG_LIBS)
.PHONY: fuzz-run
fuzz-run: $(FUZZ_BIN)
	@tools/run-fuzz $(FUZZ_BIN)

# The checks against peers compute with this.
PARITY_BIN := $(BUILD)/tests/parity/parity
.SECONDARY: $(PARITY_BIN).c.o
$(PARITY_BIN): $(PARITY_BIN).c.o $(call app_objects,options options_task initial $(patsubst apps/%.c,%,$(wildcard apps/settings*.c))) $(MODEL_LIBS)
	@echo "ld  $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(TORCH_LIBS) $(PKG_LIBS)
PEERS ?= .deps/peer

# Unit tests of all modules, the command line, configs.
ifeq ($(READY),yes)
## programs: build/diptych and the programs behind it (the default)
.PHONY: programs
programs: $(PROGRAMS)

## test: build everything and run all tests
.PHONY: test
test: programs $(TEST_BIN)
	@tools/run-tests $(TEST_BIN)
	@tests/cli/run $(BUILD)/diptych
	@tests/cli/test_docs $(BUILD)/diptych

## test-unit: the unit tests of all modules
.PHONY: test-unit
test-unit: $(TEST_BIN)
	@tools/run-tests $(TEST_BIN)

## test-cli: the programs from outside: messages, exit codes, resume
.PHONY: test-cli
test-cli: programs
	@tests/cli/run $(BUILD)/diptych

## asan: the unit tests under AddressSanitizer and UBSan
.PHONY: asan
asan:
	@$(MAKE) BUILD=build-asan OPTIMISE="-O1 -g" test-unit \
	    SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined"

## fuzz: damaged input for each parser, FUZZ_SECONDS=10 a parser, under ASan
.PHONY: fuzz
fuzz:
	@$(MAKE) BUILD=build-fuzz OPTIMISE="-O1 -g" fuzz-run \
	    SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined \
	    -fsanitize-coverage=trace-pc"

## parity: against the peers of PEERS=.deps/peer, which is made where it lacks
## parity CHECK="steps ema": these tests/parity/check_*.py only
.PHONY: parity
parity: programs $(PARITY_BIN) $(patsubst %,$(BUILD)/tests/parity/%,tokenize stats metrics)
	@[ -x $(PEERS)/bin/python ] || bench/peer-setup $(PEERS)
	@tests/parity/run $(PEERS) $(BUILD) $(CHECK)

## demo: import, train, evaluate, export, search on Debian's Fashion-MNIST
## demo DATA=synth: the same on drawn products, without that package
.PHONY: demo
demo: programs
	@tools/demo $(BUILD)/diptych $(DATA)

## bench: compare with open_clip, in turns (bench/peer-setup installs it)
.PHONY: bench
bench: programs $(BENCH_BIN)
	@bench/run $(BUILD)

else
.PHONY: programs test test-unit test-cli asan fuzz parity demo bench
programs test test-unit test-cli asan fuzz parity demo bench:
	@tools/deps
	@$(MAKE) --no-print-directory $@ READY=yes
endif

## lint: format, include table, banned functions, lengths
.PHONY: lint
lint:
	@tools/lint

## install: programs, manual and completion below PREFIX (/usr/local)
.PHONY: install
install: programs
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/diptych \
	    $(DESTDIR)$(PREFIX)/share/man/man1 \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 755 $(BUILD)/diptych $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(BUILD)/diptych-catalog $(BUILD)/diptych-model \
	    $(DESTDIR)$(PREFIX)/libexec/diptych/
	install -m 644 docs/diptych.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 tools/completion.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/diptych

# ---- housekeeping -----------------------------------------------------------

## deps: install Debian packages (as root, or say how), libtorch, ONNX Runtime
.PHONY: deps
deps:
	@tools/deps

## clean: remove what was built
.PHONY: clean
clean:
	rm -rf $(BUILD) build-*

## help: this list
.PHONY: help
help:
	@sed -n 's/^## /  make /p' $(MAKEFILE_LIST)
