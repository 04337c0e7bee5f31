/* The inside of the interpreter: one script as it runs. */
#ifndef TESTS_SCRIPT_RUN_H
#define TESTS_SCRIPT_RUN_H

#include "base/arena.h"
#include "tests/script/interpreter.h"
#include "tests/script/opcode.h"

#define SCRIPT_BYTES_MAX 10000u
#define SCRIPT_ELEMENT_MAX 520u
#define SCRIPT_OPS_MAX 201u
#define SCRIPT_STACK_MAX 1000u
#define SCRIPT_KEYS_MAX 20

enum sig_version { SIG_LEGACY, SIG_WITNESS_V0, SIG_TAPSCRIPT };

/* Views; those that a script makes live in the run's arena. */
struct stack {
	struct bytes *items;
	uint32_t count, capacity;
};

struct run {
	struct spending *s;
	uint32_t input, flags;
	enum sig_version version;
	struct arena *arena;
	struct stack stack, alt;
	struct bytes script;
	struct cursor at;
	const uint8_t *code;     /* after the last OP_CODESEPARATOR that ran */
	uint32_t op_count;
	uint32_t conditions;     /* depth of OP_IFs */
	uint32_t dead_at;        /* the outermost that does not run; 0: all run */
	enum script_error error;
	/* Of tapscript. */
	uint32_t position, code_position; /* BIP 342 codesep_pos */
	int64_t budget;
	struct sha256 leaf;
	struct bytes annex;      /* empty: none */
};

#define CODE_POSITION_NONE 0xffffffffu

/* stack.c: past its end they set the error and return nothing. */
void run_fail(struct run *r, enum script_error e); /* the first one stays */
void stack_push(struct run *r, struct stack *s, struct bytes item);
void run_push(struct run *r, struct bytes item);
void run_push_copy(struct run *r, const void *p, size_t size);
void run_push_bool(struct run *r, bool value);
struct bytes run_pop(struct run *r);
/* depth 0: the top. */
struct bytes run_peek(struct run *r, uint32_t depth);
MUST_USE bool run_needs(struct run *r, uint32_t count); /* false, and failed, if the stack has less */
/* Takes the item at that depth out. */
struct bytes run_remove(struct run *r, uint32_t depth);
void run_insert(struct run *r, uint32_t depth, struct bytes item);
bool item_is_true(struct bytes b);

/* number.c: little endian, the sign in the highest bit. */
int64_t run_number(struct run *r, struct bytes b, size_t size_max);
int64_t run_pop_number(struct run *r);
void run_push_number(struct run *r, int64_t n);

/* stack_ops.c, number_ops.c: false if the opcode is none of theirs. */
MUST_USE bool run_stack_op(struct run *r, uint8_t op);
MUST_USE bool run_number_op(struct run *r, uint8_t op);

/* signature.c */
void run_checksig(struct run *r, bool verify);
void run_checksigadd(struct run *r);
void run_checkmultisig(struct run *r, bool verify);
/* BIP 341: the signature of a key path (leaf NULL) or of a tapscript. */
enum script_error schnorr_check(struct spending *s, uint32_t input, struct bytes sig, struct bytes key32, const struct run *leaf,
				struct bytes annex);
/* taproot.c: false for a hash type that BIP 341 refuses. */
MUST_USE bool taproot_digest(struct sha256 *out, struct spending *s, uint32_t input, uint8_t hash_type, const struct run *leaf,
			     struct bytes annex);
enum script_error verify_taproot(struct spending *s, uint32_t input, uint32_t flags, struct arena *a, struct bytes program);

/* eval.c: runs the script over the stack. */
enum script_error run_script(struct run *r, struct bytes script);

#endif
