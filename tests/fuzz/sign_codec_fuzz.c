/* Whatever another process sends to a signer: what decodes encodes to the same bytes, and the signer behind its policy
 * answers it without harm. */
#include "crypto/hash.h"
#include "runtime/signer/codec.h"
#include "runtime/signer/local.h"
#include "runtime/signer/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct asked {
	enum sign_kind kind;
	int answers;
};

static void on_answer(void *owner, uint64_t id, const struct sign_answer *answer)
{
	struct asked *a = owner;
	struct sign_answer decoded;
	struct buf bytes = BUF_EMPTY;
	struct arena arena;

	ASSERT(id == 5);
	a->answers++;
	arena_init(&arena);
	sign_answer_encode(answer, a->kind, &bytes);
	ASSERT(sign_answer_decode(&decoded, &arena, a->kind, buf_view(&bytes)));
	ASSERT(decoded.refused == answer->refused);
	buf_release(&bytes);
	arena_release(&arena);
}

static struct signer_port signer(void)
{
	static const uint8_t seed[32] = { 4 };
	static struct local_signer *local;
	static struct policy_signer *policy;
	struct policy_limits limits;

	if (!local) {
		local = local_signer_new(network_by_name("regtest"), BYTES_OF(seed), seed);
		policy_limits_default(&limits);
		policy = policy_signer_new(local_signer_port(local), &limits);
	}
	return policy_signer_port(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct signer_port port = signer();
	struct sign_request *r;
	struct sign_answer answer;
	struct arena a;

	arena_init(&a);
	r = sign_request_decode(&a, BYTES(data, size));
	if (r) {
		struct asked asked = { r->kind, 0 };
		struct buf again = BUF_EMPTY;

		sign_request_encode(r, &again);
		ASSERT(bytes_equal(buf_view(&again), BYTES(data, size)));
		buf_release(&again);
		port.request(port.context, r, on_answer, &asked, 5);
		ASSERT(asked.answers == 1);
	}
	if (size && data[0] >= SIGN_CHANNEL_NEW && data[0] <= SIGN_POINT && sign_answer_decode(&answer, &a, (enum sign_kind)data[0], BYTES(data + 1, size - 1)))
		ASSERT(answer.refused || !answer.reason);
	arena_release(&a);
	return 0;
}
