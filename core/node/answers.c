/* Answers of the signer, the wallet and the store, each to the owner of its question (step_ask).  The switches name every
 * owner, so that a new one is thought of in each. */
#include "node/state.h"

void node_on_signed(struct node *n, struct step *s, const struct event *e)
{
	const struct sign_answer *a = e->u.signature.answer;
	struct node_channel *c;
	enum owner_kind kind;
	uint64_t owner;

	if (!step_take(s, e->u.signature.id, &kind, &owner))
		return;
	switch (kind) {
	case OWNER_CHANNEL:
		c = node_channel_by_key(n, owner);
		if (c && !c->dead) {
			struct channel_notes notes;

			channel_notes_init(&notes);
			channel_signed(c->channel, s, &notes, e->u.signature.id, a);
			node_touch(n, c);
			node_route(n, s, &notes);
		}
		return;
	case OWNER_SWEEP:
		c = node_channel_by_key(n, owner);
		if (c && !c->dead) {
			struct onchain_notes claims;

			onchain_notes_init(&claims);
			if (!(c->anchor && anchor_signed(c->anchor, s, &claims, e->u.signature.id, a)) && c->onchain)
				onchain_signed(c->onchain, s, &claims, e->u.signature.id, a);
			node_route_onchain(n, s, c, &claims);
		}
		return;
	case OWNER_HTLC_ONION:
		node_onion_answered(n, s, owner, a);
		return;
	case OWNER_INVOICE:
		node_invoice_answered(n, s, owner, a);
		return;
	case OWNER_GOSSIP:
		node_gossip_signed(n, s, owner, a);
		return;
	case OWNER_BACKUP:
		node_backup_key_answered(n, s, a);
		return;
	case OWNER_FUNDING:
	case OWNER_WITHDRAW:
	case OWNER_ADDRESS:
	case OWNER_CHANNEL_ADDRESS:
	case OWNER_CALL:
	case OWNER_PAST:
	case OWNER_STORAGE:
	case OWNER_FORWARDS:
	case OWNER_HISTORY:
	case OWNER_DELPAY:
	case OWNER_RECALL:
	case OWNER_CLEAN:
	case OWNER_CLOSED:
	case OWNER_RECOVERY:
		return;
	}
	UNREACHABLE();
}

void node_on_funds(struct node *n, struct step *s, const struct event *e)
{
	const struct funds_answer *a = e->u.funds.answer;
	enum owner_kind kind;
	uint64_t owner;

	if (!step_take(s, e->u.funds.id, &kind, &owner))
		return;
	switch (kind) {
	case OWNER_FUNDING:
		node_funding_answered(n, s, owner, a);
		return;
	case OWNER_WITHDRAW:
		node_withdraw_answered(n, s, owner, a);
		return;
	case OWNER_ADDRESS:
		node_address_answered(n, s, owner, a);
		return;
	case OWNER_CHANNEL_ADDRESS:
		node_channel_address_answered(n, s, owner, a);
		return;
	case OWNER_SWEEP:
		node_onchain_funded(n, s, owner, e->u.funds.id, a);
		return;
	case OWNER_CHANNEL:
	case OWNER_HTLC_ONION:
	case OWNER_INVOICE:
	case OWNER_CALL:
	case OWNER_GOSSIP:
	case OWNER_PAST:
	case OWNER_BACKUP:
	case OWNER_STORAGE:
	case OWNER_FORWARDS:
	case OWNER_HISTORY:
	case OWNER_DELPAY:
	case OWNER_RECALL:
	case OWNER_CLEAN:
	case OWNER_CLOSED:
	case OWNER_RECOVERY:
		return;
	}
	UNREACHABLE();
}

void node_on_fetched(struct node *n, struct step *s, const struct event *e)
{
	enum owner_kind kind;
	uint64_t owner;

	if (!step_take(s, e->u.fetched.id, &kind, &owner))
		return;
	switch (kind) {
	case OWNER_PAST:
		node_fetched(n, s, owner, e);
		return;
	case OWNER_FORWARDS:
		node_history_fetched(n, s, owner, e);
		return;
	case OWNER_HISTORY:
		node_history_trim(n, s, e);
		return;
	case OWNER_STORAGE:
		node_storage_fetched(n, s, owner, e);
		return;
	case OWNER_INVOICE:
		node_invoice_fetched(n, s, owner, e);
		return;
	case OWNER_DELPAY:
		node_deletion_fetched(n, s, owner, e);
		return;
	case OWNER_RECALL:
		node_recall_fetched(n, s, owner, e);
		return;
	case OWNER_CLEAN:
		node_clean_fetched(n, s, owner, e);
		return;
	case OWNER_CLOSED:
		node_closed_fetched(n, s, e);
		return;
	case OWNER_RECOVERY:
		node_recovery_fetched(n, s, owner, e);
		return;
	case OWNER_CHANNEL:
	case OWNER_HTLC_ONION:
	case OWNER_FUNDING:
	case OWNER_WITHDRAW:
	case OWNER_ADDRESS:
	case OWNER_CHANNEL_ADDRESS:
	case OWNER_SWEEP:
	case OWNER_CALL:
	case OWNER_GOSSIP:
	case OWNER_BACKUP:
		return;
	}
	UNREACHABLE();
}
