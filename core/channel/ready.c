/* From funding_signed to channel_ready: depth of the funding transaction, the
 * alias, forgetting what never confirms. */
#include "channel/machine.h"

static bool deep_enough(const struct channel *ch, const struct step *s)
{
	uint32_t depth = 0;

	if (ch->r.funding_height != 0 && s->height >= ch->r.funding_height)
		depth = s->height - ch->r.funding_height + 1;
	return depth >= ch->r.minimum_depth;
}

/* Both are ready: the channel operates. */
static void locked_in(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	if (!ch->r.ready_sent || !ch->r.ready_received || ch->r.state != CHANNELD_AWAITING_LOCKIN)
		return;
	channel_to(ch, s, notes, CHANNELD_NORMAL);
	channel_note(ch, s, notes, CHANNEL_NOTE_READY);
}

/* B2.channel_ready.5, B2.channel_ready.6, B2.channel_ready.7: random, in a block that is centuries away */
static struct scid make_alias(struct step *s)
{
	uint8_t r[8];

	drbg_fill(s->entropy, r, sizeof(r));
	return scid_make(0xf00000u | (load_be32(r) & 0xfffff), load_be32(r + 4) >> 8, load_be16(r + 6));
}

void ready_send(struct channel *ch, struct step *s)
{
	/* B2.channel_ready.3: the point of commitment 1, as local_revoked is 0 */
	struct msg_channel_ready m = { .channel_id = ch->r.id, .second_per_commitment_point = ch->r.local_points[1] };
	struct buf b = BUF_EMPTY;

	ASSERT(ch->r.local_revoked == 0);
	if (ch->r.alias_local.v == 0) {
		ch->r.alias_local = make_alias(s);
		ch->record_dirty = true;
	}
	m.tlvs.short_channel_id = &ch->r.alias_local; /* B2.channel_ready.4 */
	msg_channel_ready_encode(&m, &b);
	channel_send(ch, s, &b);
}

void ready_try(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	if (ch->dead || ch->r.ready_sent || ch->link != LINK_UP || ch->r.state != CHANNELD_AWAITING_LOCKIN)
		return;
	/* B2.channel_ready.2, B2.channel_ready.10 */
	if (!deep_enough(ch, s))
		return;
	ch->r.ready_sent = true;
	ch->record_dirty = true;
	ready_send(ch, s);
	locked_in(ch, s, notes);
}

void ready_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_channel_ready m;

	if (msg_channel_ready_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed channel_ready");
		return;
	}
	if (m.tlvs.short_channel_id && m.tlvs.short_channel_id->v != ch->r.alias_remote.v) {
		ch->r.alias_remote = *m.tlvs.short_channel_id;
		ch->record_dirty = true;
	}
	/* B2.message_retransmission.28: a redundant one, or one that only brings another alias */
	if (ch->r.ready_received)
		return;
	if (!pubkey_valid(&m.second_per_commitment_point)) {
		channel_broken(ch, s, notes, "invalid point in channel_ready");
		return;
	}
	ch->r.remote_points[1] = m.second_per_commitment_point;
	ch->r.ready_received = true;
	ch->record_dirty = true;
	locked_in(ch, s, notes);
}

/* Whether all that is ours in it came with push_msat of a channel that was never usable. */
bool ready_nothing_at_stake(const struct channel *ch)
{
	return ch->r.opener == SIDE_REMOTE && ch->r.state == CHANNELD_AWAITING_LOCKIN && !ch->r.ready_sent;
}

/* A fundee that kept channels whose funding never comes could be filled up with them. */
void ready_forget(struct channel *ch, struct step *s, struct channel_notes *notes, const char *why, bool tell_peer)
{
	channel_log(ch, s, LOG_INFO, "forgotten: %s", why);
	if (tell_peer)
		channel_send_error(ch, s, why);
	channel_unlink(ch, s, notes);
	channel_forget(ch, s);
	channel_note(ch, s, notes, CHANNEL_NOTE_FORGOTTEN)->text = arena_string(&s->out->arena, why);
}

void channel_abandon(struct channel *ch, struct step *s, struct channel_notes *notes, const char *why)
{
	if (ch->dead)
		return;
	if (ch->r.state == OPENINGD) {
		opening_failed(ch, s, notes, true, "%s", why);
		return;
	}
	if (ready_nothing_at_stake(ch))
		ready_forget(ch, s, notes, why, true);
	else
		channel_fail(ch, s, notes, CLOSE_FUNDING, why);
}

static bool pays_us_right(const struct channel *ch, const struct step *s, const struct tx_output *output)
{
	return output && sat_cmp(output->amount, ch->r.funding_amount) == 0 &&
	       bytes_equal(output->script, channel_record_funding_script(&ch->r, &s->out->arena));
}

void channel_funding_confirmed(struct channel *ch, struct step *s, struct channel_notes *notes, uint32_t height,
			       uint32_t tx_index, const struct tx_output *output)
{
	if (ch->dead || ch->r.state == OPENINGD)
		return;
	/* B2.channel_ready.1 */
	if (!pays_us_right(ch, s, output)) {
		channel_abandon(ch, s, notes, "the funding output is not what was agreed on");
		return;
	}
	if (ch->r.funding_height != height || ch->r.scid.v == 0) {
		ch->r.funding_height = height;
		ch->r.scid = scid_make(height, tx_index, (uint16_t)ch->r.funding.index);
		ch->record_dirty = true;
	}
	ready_try(ch, s, notes);
	channel_finish(ch, s);
}

void channel_funding_unconfirmed(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	(void)notes;
	if (ch->dead || ch->r.state == OPENINGD || ch->r.funding_height == 0)
		return;
	channel_log(ch, s, LOG_WARN, "the funding transaction is not in the best chain any more");
	ch->r.funding_height = 0;
	ch->r.scid = (struct scid){ 0 };
	ch->record_dirty = true;
	channel_finish(ch, s);
}

void channel_block(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	if (ch->dead || ch->r.state == OPENINGD || ch->r.state >= AWAITING_UNILATERAL)
		return;
	/* B2.channel_ready.11 */
	if (ready_nothing_at_stake(ch) && ch->r.funding_height == 0 && s->height >= ch->r.first_height + FUNDING_TIMEOUT_BLOCKS) {
		channel_abandon(ch, s, notes, "the funding transaction did not confirm in 2016 blocks");
		return;
	}
	ready_try(ch, s, notes);
	channel_finish(ch, s);
}
