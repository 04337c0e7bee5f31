/* A Bitcoin script interpreter for tests: whether an input of a transaction may spend its output.
 *
 * It is complete (legacy, P2SH, segwit version 0, taproot's key path and tapscript) and knows each rule that Bitcoin
 * Core can switch, so that Bitcoin Core's own vectors can judge it before it judges us.  What it shares with the node is
 * the encoding of transactions and the sighashes of legacy and BIP 143, both of which have Bitcoin Core's vectors too.
 *
 * Sources: BIP 16, 62 (policy), 65, 66, 68, 112, 141, 143, 146, 147, 340, 341, 342. */
#ifndef TESTS_SCRIPT_INTERPRETER_H
#define TESTS_SCRIPT_INTERPRETER_H

#include "bitcoin/script.h"

enum script_flag {
	SCRIPT_P2SH = 1 << 0,
	SCRIPT_STRICTENC = 1 << 1,
	SCRIPT_DERSIG = 1 << 2,
	SCRIPT_LOW_S = 1 << 3,
	SCRIPT_NULLDUMMY = 1 << 4,
	SCRIPT_SIGPUSHONLY = 1 << 5,
	SCRIPT_MINIMALDATA = 1 << 6,
	SCRIPT_DISCOURAGE_UPGRADABLE_NOPS = 1 << 7,
	SCRIPT_CLEANSTACK = 1 << 8,
	SCRIPT_CHECKLOCKTIMEVERIFY = 1 << 9,
	SCRIPT_CHECKSEQUENCEVERIFY = 1 << 10,
	SCRIPT_WITNESS = 1 << 11,
	SCRIPT_DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM = 1 << 12,
	SCRIPT_MINIMALIF = 1 << 13,
	SCRIPT_NULLFAIL = 1 << 14,
	SCRIPT_WITNESS_PUBKEYTYPE = 1 << 15,
	SCRIPT_CONST_SCRIPTCODE = 1 << 16,
	SCRIPT_TAPROOT = 1 << 17,
	SCRIPT_DISCOURAGE_UPGRADABLE_TAPROOT_VERSION = 1 << 18,
	SCRIPT_DISCOURAGE_OP_SUCCESS = 1 << 19,
	SCRIPT_DISCOURAGE_UPGRADABLE_PUBKEYTYPE = 1 << 20,
	SCRIPT_FLAG_COUNT = 21,
};

/* What a block must keep, and what the mempool asks for besides. */
#define SCRIPT_CONSENSUS \
	(SCRIPT_P2SH | SCRIPT_DERSIG | SCRIPT_NULLDUMMY | SCRIPT_CHECKLOCKTIMEVERIFY | SCRIPT_CHECKSEQUENCEVERIFY | SCRIPT_WITNESS | \
	 SCRIPT_TAPROOT)
#define SCRIPT_STANDARD ((1u << SCRIPT_FLAG_COUNT) - 1 - SCRIPT_SIGPUSHONLY)

enum script_error {
	SCRIPT_OK,
	SCRIPT_EVAL_FALSE,
	SCRIPT_OP_RETURN,
	SCRIPT_SCRIPTNUM,
	SCRIPT_SCRIPT_SIZE,
	SCRIPT_PUSH_SIZE,
	SCRIPT_OP_COUNT,
	SCRIPT_STACK_SIZE,
	SCRIPT_SIG_COUNT,
	SCRIPT_PUBKEY_COUNT,
	SCRIPT_VERIFY,
	SCRIPT_EQUALVERIFY,
	SCRIPT_CHECKMULTISIGVERIFY,
	SCRIPT_CHECKSIGVERIFY,
	SCRIPT_NUMEQUALVERIFY,
	SCRIPT_BAD_OPCODE,
	SCRIPT_DISABLED_OPCODE,
	SCRIPT_INVALID_STACK_OPERATION,
	SCRIPT_INVALID_ALTSTACK_OPERATION,
	SCRIPT_UNBALANCED_CONDITIONAL,
	SCRIPT_NEGATIVE_LOCKTIME,
	SCRIPT_UNSATISFIED_LOCKTIME,
	SCRIPT_SIG_HASHTYPE,
	SCRIPT_SIG_DER,
	SCRIPT_MINIMALDATA_ERROR,
	SCRIPT_SIG_PUSHONLY,
	SCRIPT_SIG_HIGH_S,
	SCRIPT_SIG_NULLDUMMY,
	SCRIPT_PUBKEYTYPE,
	SCRIPT_CLEANSTACK_ERROR,
	SCRIPT_MINIMALIF_ERROR,
	SCRIPT_SIG_NULLFAIL,
	SCRIPT_DISCOURAGED_NOPS,
	SCRIPT_DISCOURAGED_WITNESS_PROGRAM,
	SCRIPT_DISCOURAGED_TAPROOT_VERSION,
	SCRIPT_DISCOURAGED_OP_SUCCESS,
	SCRIPT_DISCOURAGED_PUBKEYTYPE,
	SCRIPT_WITNESS_PROGRAM_WRONG_LENGTH,
	SCRIPT_WITNESS_PROGRAM_WITNESS_EMPTY,
	SCRIPT_WITNESS_PROGRAM_MISMATCH,
	SCRIPT_WITNESS_MALLEATED,
	SCRIPT_WITNESS_MALLEATED_P2SH,
	SCRIPT_WITNESS_UNEXPECTED,
	SCRIPT_WITNESS_PUBKEYTYPE_ERROR,
	SCRIPT_SCHNORR_SIG_SIZE,
	SCRIPT_SCHNORR_SIG_HASHTYPE,
	SCRIPT_SCHNORR_SIG,
	SCRIPT_TAPROOT_WRONG_CONTROL_SIZE,
	SCRIPT_TAPSCRIPT_VALIDATION_WEIGHT,
	SCRIPT_TAPSCRIPT_CHECKMULTISIG,
	SCRIPT_TAPSCRIPT_MINIMALIF,
	SCRIPT_TAPSCRIPT_EMPTY_PUBKEY,
	SCRIPT_OP_CODESEPARATOR,
	SCRIPT_SIG_FINDANDDELETE,
	SCRIPT_ERROR_COUNT,
};

/* Bitcoin Core's name of it, as its vectors spell it. */
const char *script_error_name(enum script_error e);
/* By the name in its vectors; 0 for one that is none. */
uint32_t script_flag_by_name(const char *name);

/* A transaction with the outputs that its inputs spend, in their order; both are borrowed.  Remembers the hashes that
 * its signatures share. */
struct spending {
	const struct tx *tx;
	const struct tx_output *spent;
	struct sighash_cache v0;
	struct sha256 prevouts, amounts, scripts, sequences, outputs; /* BIP 341: hashed once */
	bool v1_filled;
};

void spending_init(struct spending *s, const struct tx *tx, const struct tx_output *spent);
/* flags: of enum script_flag.  SCRIPT_CLEANSTACK asks for SCRIPT_WITNESS, which asks for SCRIPT_P2SH. */
MUST_USE enum script_error spending_verify(struct spending *s, uint32_t input, uint32_t flags);
/* Every input of it. */
MUST_USE enum script_error spending_verify_all(struct spending *s, uint32_t flags);

/* Whether input may spend the output, by policy, which has been mined for `age` blocks when t is mined at `height`:
 * scripts, lock time and BIP 68 (heights alone). */
MUST_USE bool spend_is_valid(const struct tx *t, uint32_t input, const struct tx_output *spent, uint32_t age, uint32_t height);

#endif
