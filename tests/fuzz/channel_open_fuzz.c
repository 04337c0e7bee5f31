/* Openings with strange terms: every number of open_channel and accept_channel
 * may be anything, also what only wants to overflow.  Either the opening ends
 * with an error, or the channel that comes of it keeps every invariant, pays
 * both ways and closes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/channel_pair.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

_Noreturn void test_failed(const char *file, int line, const char *fmt, ...)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, fmt);
	abort();
}

void test_check_eq(const char *file, int line, const char *expr, long long a, long long b)
{
	if (a != b)
		test_failed(file, line, "%s", expr);
}

/* Mostly what it was; else a number of the fuzzer's, shifted to any size. */
static uint64_t strange(struct cursor *c, uint64_t was)
{
	uint8_t how = cursor_u8(c);

	if (how < 160)
		return was;
	if (how < 176)
		return UINT64_MAX - (how & 15);
	if (how < 192)
		return was + (how & 15) - 8u;
	return cursor_be64(c) >> (how & 63);
}

static void change_open(struct pair *p, struct cursor *c)
{
	struct msg_open_channel m;
	struct buf b = BUF_EMPTY;

	if (pair_peek_type(p, 1) != MSG_OPEN_CHANNEL || msg_open_channel_decode(pair_peek(p, 1), &p->memory, &m) != DECODE_OK)
		return;
	m.funding_satoshis.v = strange(c, m.funding_satoshis.v);
	m.push_msat.v = strange(c, m.push_msat.v);
	m.dust_limit_satoshis.v = strange(c, m.dust_limit_satoshis.v);
	m.max_htlc_value_in_flight_msat.v = strange(c, m.max_htlc_value_in_flight_msat.v);
	m.channel_reserve_satoshis.v = strange(c, m.channel_reserve_satoshis.v);
	m.htlc_minimum_msat.v = strange(c, m.htlc_minimum_msat.v);
	m.feerate_per_kw = (uint32_t)strange(c, m.feerate_per_kw);
	m.to_self_delay = (uint16_t)strange(c, m.to_self_delay);
	m.max_accepted_htlcs = (uint16_t)strange(c, m.max_accepted_htlcs);
	m.channel_flags = (uint8_t)strange(c, m.channel_flags);
	msg_open_channel_encode(&m, &b);
	pair_replace(p, 1, &b);
}

static void change_accept(struct pair *p, struct cursor *c)
{
	struct msg_accept_channel m;
	struct buf b = BUF_EMPTY;

	if (pair_peek_type(p, 0) != MSG_ACCEPT_CHANNEL || msg_accept_channel_decode(pair_peek(p, 0), &p->memory, &m) != DECODE_OK)
		return;
	m.dust_limit_satoshis.v = strange(c, m.dust_limit_satoshis.v);
	m.max_htlc_value_in_flight_msat.v = strange(c, m.max_htlc_value_in_flight_msat.v);
	m.channel_reserve_satoshis.v = strange(c, m.channel_reserve_satoshis.v);
	m.htlc_minimum_msat.v = strange(c, m.htlc_minimum_msat.v);
	m.minimum_depth = (uint32_t)strange(c, m.minimum_depth);
	m.to_self_delay = (uint16_t)strange(c, m.to_self_delay);
	m.max_accepted_htlcs = (uint16_t)strange(c, m.max_accepted_htlcs);
	msg_accept_channel_encode(&m, &b);
	pair_replace(p, 0, &b);
}

static void use(struct pair *p)
{
	uint64_t id;

	pair_confirm(p, 145);
	pair_run(p);
	for (int side = 0; side < 2; side++) {
		struct amount_msat all = channel_spendable(p->side[side].ch, &p->side[side].step);

		(void)channel_receivable(p->side[side].ch);
		if (all.v)
			(void)pair_offer(p, side, all, 1, &id);
		pair_run(p);
	}
	(void)pair_shutdown(p, 0);
	pair_run(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(BYTES(data, size));
	struct pair *p = mem_alloc(sizeof(*p));
	uint8_t start = cursor_u8(&c);

	pair_init(p);
	if (start & 1)
		p->args.channel_type = BYTES("\x10\x00", 2);
	p->args.funding.v = strange(&c, p->args.funding.v);
	p->args.push.v = strange(&c, p->args.push.v);
	p->args.has_reserve = start >> 1 & 1;
	p->args.reserve.v = strange(&c, 10000);
	p->args.commitment_feerate.per_kw = (uint32_t)strange(&c, 1000);
	pair_start(p);
	change_open(p, &c);
	if (p->side[0].ch)
		(void)pair_deliver(p, 1);
	change_accept(p, &c);
	if (p->side[0].ch && p->side[1].ch)
		pair_run(p);
	/* Both sides believe the same terms only if none was changed on the way; a signature says so. */
	if (p->side[0].ch && p->side[1].ch && channel_state_of(p->side[0].ch) == CHANNELD_AWAITING_LOCKIN &&
	    channel_state_of(p->side[1].ch) == CHANNELD_AWAITING_LOCKIN && !p->side[0].forgotten && !p->side[1].forgotten)
		use(p);
	pair_release(p);
	mem_free(p);
	return 0;
}
