/* The invariants of core/channel/machine.h, asserted after every call. */
#include "channel/machine.h"

static void check_numbers(const struct channel *ch)
{
	/* INV-C3 */
	ASSERT(ch->r.remote_number - ch->r.remote_revoked <= 1);
	ASSERT(ch->r.local_number - ch->r.local_revoked <= 1);
	ASSERT(ch->secrets.next_index == SHACHAIN_FIRST - ch->r.remote_revoked);
	ASSERT(ch->r.state == OPENINGD || ch->sigs.number == ch->r.local_number);
	/* INV-C4, INV-C6, INV-C8 */
	ASSERT((ch->ask == ASK_NONE) == (ch->ask_id == 0));
	ASSERT(!(ch->r.data_lost && ch->ask == ASK_PUBLISH));
	ASSERT(ch->link == LINK_DOWN || ch->connection != 0);
	ASSERT((ch->open != NULL) == (ch->r.state == OPENINGD));
}

static void check_view(const struct channel *ch, enum htlc_view v)
{
	const struct balance *b = &ch->views[v];
	struct amount_msat sum = b->left[0];

	/* INV-C2 */
	ASSERT(msat_add(&sum, sum, b->left[1]) && msat_add(&sum, sum, b->offered[0]) && msat_add(&sum, sum, b->offered[1]));
	ASSERT(msat_cmp(sum, msat_of_sat(ch->r.funding_amount)) == 0);
	ASSERT(b->feerate.per_kw == channel_record_feerate(&ch->r, v).per_kw);
	ASSERT(b->untrimmed <= b->count[0] + b->count[1]);
}

static void check_states(const struct channel *ch)
{
	uint32_t live = 0;

	for (int i = 0; i < HTLC_STATES; i++)
		live += ch->lists[i].count;
	/* INV-C1 */
	ASSERT(live == table_count(&ch->htlcs));
	ASSERT(ch->lists[RCVD_REMOVE_ACK_REVOCATION].count == 0 && ch->lists[SENT_REMOVE_ACK_REVOCATION].count == 0);
	/* INV-C5 */
	ASSERT(live == 0 || (ch->r.ready_sent && ch->r.ready_received));
	/* INV-C7 */
	if (ch->link != LINK_UP)
		ASSERT(ch->lists[SENT_ADD_HTLC].count + ch->lists[RCVD_ADD_HTLC].count + ch->lists[SENT_REMOVE_HTLC].count +
			       ch->lists[RCVD_REMOVE_HTLC].count == 0);
	/* Without an outstanding signature nothing waits for a revocation. */
	if (ch->r.remote_number == ch->r.remote_revoked)
		ASSERT(ch->lists[SENT_ADD_COMMIT].count + ch->lists[SENT_ADD_ACK_COMMIT].count + ch->lists[SENT_REMOVE_COMMIT].count +
			       ch->lists[SENT_REMOVE_ACK_COMMIT].count == 0);
	if (ch->r.local_number == ch->r.local_revoked)
		ASSERT(ch->lists[RCVD_ADD_COMMIT].count + ch->lists[RCVD_ADD_ACK_COMMIT].count + ch->lists[RCVD_REMOVE_COMMIT].count +
			       ch->lists[RCVD_REMOVE_ACK_COMMIT].count == 0);
}

/* The sums from nothing. */
static void recompute(const struct channel *ch, enum htlc_view v)
{
	const struct balance *b = &ch->views[v];
	struct amount_msat offered[2] = { MSAT(0), MSAT(0) }, dust = MSAT(0);
	uint32_t count[2] = { 0, 0 }, untrimmed = 0;

	for (int i = 0; i < HTLC_STATES; i++) {
		for (const struct channel_htlc *h = ch->lists[i].head; h; h = h->next) {
			ASSERT(h->state == (enum htlc_state)i && htlc_find(ch, h->owner, h->id) == h);
			ASSERT(h->owner == htlc_state_owner(h->state));
			if (!htlc_state_in(h->state, v))
				continue;
			count[h->owner]++;
			ASSERT(msat_add(&offered[h->owner], offered[h->owner], h->amount));
			if (view_trims(ch, v, b->feerate, h->owner, h->amount))
				ASSERT(msat_add(&dust, dust, h->amount));
			else
				untrimmed++;
		}
	}
	for (int side = 0; side < 2; side++) {
		ASSERT(count[side] == b->count[side]);
		ASSERT(msat_cmp(offered[side], b->offered[side]) == 0);
	}
	ASSERT(untrimmed == b->untrimmed && msat_cmp(dust, b->dust) == 0);
}

void channel_check(const struct channel *ch, bool deep)
{
	if (ch->dead)
		return;
	check_numbers(ch);
	if (ch->r.state == OPENINGD && msat_cmp(ch->r.settled[0], MSAT(0)) == 0 && msat_cmp(ch->r.settled[1], MSAT(0)) == 0)
		return;
	check_states(ch);
	for (int v = 0; v < HTLC_VIEWS; v++) {
		check_view(ch, (enum htlc_view)v);
		if (deep)
			recompute(ch, (enum htlc_view)v);
	}
}
