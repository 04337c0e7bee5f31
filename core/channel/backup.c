#include "channel/backup.h"

#include <stdio.h>
#include <string.h>

#include "channel/machine.h"
#include "wire/records_backup.h"

#define SAID "this node has lost the data of this channel: please publish your commitment"

static void points_to_wire(struct pubkey out[5], const struct basepoints *b)
{
	out[0] = b->funding;
	out[1] = b->revocation;
	out[2] = b->payment;
	out[3] = b->delayed_payment;
	out[4] = b->htlc;
}

static struct basepoints points_from_wire(const struct pubkey in[5])
{
	return (struct basepoints){ in[0], in[1], in[2], in[3], in[4] };
}

/* What it said in shutdown, or had bound itself to. */
static struct bytes close_script(const struct channel_side *side)
{
	return channel_script_view(side->shutdown.size ? &side->shutdown : &side->upfront_shutdown);
}

void channel_backup_encode(const struct channel_record *r, const char *host, uint16_t port, struct buf *out)
{
	struct record_channel_backup w = {
		.key = r->key,
		.peer = r->peer,
		.host = bytes_from_string(host ? host : ""),
		.port = port,
		.id = r->id,
		.opener = (uint8_t)r->opener,
		.announce = r->announce,
		.type = (uint8_t)r->type,
		.scid_alias = r->scid_alias,
		.zeroconf = r->zeroconf,
		.funding = r->funding,
		.funding_amount = r->funding_amount,
		.first_height = r->first_height,
		.funding_height = r->funding_height,
		.short_channel_id = r->scid,
		.local_delay = r->side[SIDE_LOCAL].to_self_delay,
		.remote_delay = r->side[SIDE_REMOTE].to_self_delay,
		.local_script = close_script(&r->side[SIDE_LOCAL]),
		.remote_script = close_script(&r->side[SIDE_REMOTE]),
	};

	points_to_wire(w.local_points, &r->side[SIDE_LOCAL].points);
	points_to_wire(w.remote_points, &r->side[SIDE_REMOTE].points);
	record_channel_backup_encode(&w, out);
}

/* Numbers, balances and feerate say nothing: they only have to add up. */
static void fill_unknown(struct channel_record *r)
{
	r->settled[SIDE_REMOTE] = msat_of_sat(r->funding_amount);
	r->feerates[4] = FEERATE(FEERATE_FLOOR_PER_KW);
	for (int i = 0; i < 2; i++) {
		/* BOLT 2 wants a valid point in channel_reestablish; which one nobody looks at. */
		r->local_points[i] = r->side[SIDE_LOCAL].points.payment;
		r->remote_points[i] = r->side[SIDE_REMOTE].points.payment;
	}
	r->ready_sent = r->ready_received = true;
	r->data_lost = true;
	r->state = AWAITING_UNILATERAL;
	r->close.cause = CLOSE_DATA_LOST;
	(void)snprintf(r->error, sizeof(r->error), "%s", SAID);
}

static bool sides_from_wire(const struct record_channel_backup *w, struct channel_record *r)
{
	struct channel_side *local = &r->side[SIDE_LOCAL], *remote = &r->side[SIDE_REMOTE];

	local->points = points_from_wire(w->local_points);
	remote->points = points_from_wire(w->remote_points);
	local->to_self_delay = w->local_delay;
	remote->to_self_delay = w->remote_delay;
	return channel_script_set(&local->upfront_shutdown, w->local_script) &&
	       channel_script_set(&remote->upfront_shutdown, w->remote_script);
}

static bool record_from_wire(const struct record_channel_backup *w, struct channel_record *r)
{
	memset(r, 0, sizeof(*r));
	r->key = w->key;
	r->peer = w->peer;
	r->id = w->id;
	r->opener = w->opener == SIDE_LOCAL ? SIDE_LOCAL : SIDE_REMOTE;
	r->announce = w->announce;
	r->type = (enum commitment_type)w->type;
	r->scid_alias = w->scid_alias;
	r->zeroconf = w->zeroconf;
	r->funding = w->funding;
	r->funding_amount = w->funding_amount;
	r->first_height = w->first_height;
	r->funding_height = w->funding_height;
	r->scid = w->short_channel_id;
	return w->key && w->opener <= SIDE_REMOTE && (w->type == COMMITMENT_ANCHORS || w->type == COMMITMENT_STATIC_REMOTEKEY) &&
	       !SAT_LESS(SAT(SUPPLY_SAT), w->funding_amount) && sides_from_wire(w, r);
}

/* A name or an address literal: nothing that a terminal or a resolver could stumble over. */
static bool host_is_sane(struct bytes host)
{
	if (host.size >= BACKUP_HOST_MAX)
		return false;
	for (size_t i = 0; i < host.size; i++)
		if (host.data[i] <= ' ' || host.data[i] >= 0x7f)
			return false;
	return true;
}

bool channel_backup_decode(struct bytes b, struct channel_backup *out)
{
	struct record_channel_backup w;
	struct arena a;
	bool ok;

	memset(out, 0, sizeof(*out));
	arena_init(&a);
	ok = record_channel_backup_decode(b, &a, &w) && host_is_sane(w.host) && record_from_wire(&w, &out->stub);
	if (ok) {
		if (w.host.size)
			memcpy(out->host, w.host.data, w.host.size);
		out->port = w.port;
		fill_unknown(&out->stub);
	}
	arena_release(&a);
	return ok;
}

bool channel_was_restored(const struct channel_record *r)
{
	return r->data_lost && r->local_number == 0 && r->remote_number == 0 && r->local_revoked == 0 && r->remote_revoked == 0;
}

struct channel *channel_restore(const struct channel_policy *policy, struct step *s, struct channel_notes *notes,
				const struct channel_record *stub)
{
	struct channel *ch = channel_new(policy, stub->key);

	ASSERT(channel_was_restored(stub) && stub->state == AWAITING_UNILATERAL);
	ch->r = *stub;
	ch->r.close.height = s->height;
	ch->r.close.at_s = s->now_ms / 1000;
	balances_start(ch);
	ch->record_dirty = ch->sigs_dirty = ch->secrets_dirty = true;
	channel_note(ch, s, notes, CHANNEL_NOTE_WATCH_FUNDING);
	channel_finish(ch, s);
	return ch;
}
