/* A channel as a static channel backup holds it, and what comes back of it.
 *
 * Enough to find the peer, to make it publish its commitment, and to take from that what is ours; nothing that
 * changes with a payment.  What was in the channel is not known any more: the channel that is restored never signs and
 * never publishes, whatever happens (INV-C6).  BOLT 2 "Message Retransmission". */
#ifndef CHANNEL_BACKUP_H
#define CHANNEL_BACKUP_H

#include "channel/channel.h"
#include "channel/record.h"

#define BACKUP_HOST_MAX 256

struct channel_backup {
	struct channel_record stub; /* as if all its history were lost */
	char host[BACKUP_HOST_MAX]; /* "": no address of the peer is known */
	uint16_t port;
};

/* host may be NULL. */
void channel_backup_encode(const struct channel_record *r, const char *host, uint16_t port, struct buf *out);
/* False if the bytes are none of ours, or make no sense. */
MUST_USE bool channel_backup_decode(struct bytes b, struct channel_backup *out);

/* A channel that waits for its peer to publish.  Its records are stored in this step.  Returns owned. */
MUST_USE struct channel *channel_restore(const struct channel_policy *policy, struct step *s, struct channel_notes *notes,
					 const struct channel_record *stub);
/* Whether a channel came from a backup: all its numbers are unknown. */
MUST_USE bool channel_was_restored(const struct channel_record *r);

#endif
