/* shutdown both ways: BOLT 2 "Closing Initiation". */
#include <string.h>

#include "channel/machine.h"
#include "contract/closing.h"

static bool may_shut_down(const struct channel *ch)
{
	/* B2.shutdown.1: from the state on that funding_signed brings */
	return ch->r.state >= CHANNELD_AWAITING_LOCKIN && ch->r.state <= CLOSINGD_COMPLETE;
}

static void begin(struct channel *ch, struct step *s, struct channel_notes *notes, enum side closer)
{
	if (!ch->r.has_closer) {
		ch->r.has_closer = true;
		ch->r.closer = closer;
	}
	if (ch->r.state < CHANNELD_SHUTTING_DOWN)
		channel_to(ch, s, notes, CHANNELD_SHUTTING_DOWN);
	ch->record_dirty = true;
}

/* Ours, once and for all: B2.shutdown.3, B2.shutdown.8. */
static const char *choose_script(struct channel *ch, struct bytes script)
{
	struct channel_side *ours = &ch->r.side[SIDE_LOCAL];

	if (ours->shutdown.size > 0)
		return NULL;
	if (ours->upfront_shutdown.size > 0) {
		ours->shutdown = ours->upfront_shutdown;
		return NULL;
	}
	/* B2.shutdown.9; without the peer we do not know yet whether it takes newer segwit versions */
	if (!shutdown_script_valid(script, ch->anysegwit || ch->link == LINK_DOWN, false))
		return "the peer does not take this kind of closing script";
	return channel_script_set(&ours->shutdown, script) ? NULL : "the closing script is too long";
}

bool channel_shutdown(struct channel *ch, struct step *s, struct channel_notes *notes,
		      const struct channel_shutdown_args *args, const char **why)
{
	*why = NULL;
	if (ch->dead || !may_shut_down(ch))
		*why = ch->r.state == OPENINGD ? "the channel is not open yet" : "the channel has failed already";
	if (!*why)
		*why = choose_script(ch, args->script);
	if (*why)
		return false;
	ch->shutdown_wanted = true;
	if (args->has_fee_range) {
		ch->has_fee_range = true;
		ch->fee_low = args->fee_low;
		ch->fee_high = args->fee_high;
	}
	begin(ch, s, notes, SIDE_LOCAL);
	channel_pump(ch, s, notes);
	channel_finish(ch, s);
	return true;
}

static void want_script(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	struct channel_side *ours = &ch->r.side[SIDE_LOCAL];

	if (ours->upfront_shutdown.size > 0) {
		ours->shutdown = ours->upfront_shutdown;
		ch->record_dirty = true;
	} else if (!ch->shutdown_wanted) {
		ch->shutdown_wanted = true;
		channel_note(ch, s, notes, CHANNEL_NOTE_SCRIPT_WANTED);
	}
}

/* Sends ours when it is due; again in each connection (B2.message_retransmission.47). */
void shutdown_try(struct channel *ch, struct step *s, struct channel_notes *notes)
{
	const struct channel_side *ours = &ch->r.side[SIDE_LOCAL];
	struct msg_shutdown m = { .channel_id = ch->r.id };
	struct buf b = BUF_EMPTY;

	if (ch->r.state < CHANNELD_SHUTTING_DOWN || ch->r.state > CLOSINGD_COMPLETE || ch->talk.shutdown_sent)
		return;
	/* B2.shutdown.12 */
	if (ours->shutdown.size == 0 && ch->r.side[SIDE_REMOTE].shutdown.size > 0)
		want_script(ch, s, notes);
	/* B2.shutdown.2 */
	if (ours->shutdown.size == 0 || (channel_operating(ch) && commit_needed(ch)))
		return;
	m.scriptpubkey = channel_script_view(&ours->shutdown);
	msg_shutdown_encode(&m, &b);
	channel_send(ch, s, &b);
	ch->talk.shutdown_sent = true;
}

static const char *refuse_shutdown(const struct channel *ch, struct bytes script)
{
	const struct channel_side *theirs = &ch->r.side[SIDE_REMOTE];

	if (ch->talk.shutdown_received)
		return "a second shutdown";
	/* B2.shutdown.11 */
	if (!shutdown_script_valid(script, ch->anysegwit, false))
		return "shutdown with an unknown form of scriptpubkey";
	/* B2.shutdown.13 */
	if (theirs->upfront_shutdown.size > 0 && !bytes_equal(channel_script_view(&theirs->upfront_shutdown), script))
		return "shutdown to another script than the upfront one";
	if (theirs->shutdown.size > 0 && !bytes_equal(channel_script_view(&theirs->shutdown), script))
		return "shutdown to another script than before";
	return NULL;
}

void shutdown_on_message(struct channel *ch, struct step *s, struct channel_notes *notes, struct bytes message)
{
	struct msg_shutdown m;
	const char *why;

	if (msg_shutdown_decode(message, &s->out->arena, &m) != DECODE_OK) {
		channel_broken(ch, s, notes, "malformed shutdown");
		return;
	}
	why = refuse_shutdown(ch, m.scriptpubkey);
	if (why) {
		channel_broken(ch, s, notes, "%s", why);
		return;
	}
	ASSERT(channel_script_set(&ch->r.side[SIDE_REMOTE].shutdown, m.scriptpubkey));
	ch->talk.shutdown_received = true;
	begin(ch, s, notes, SIDE_REMOTE);
}
