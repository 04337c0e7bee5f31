#include "chain/follow.h"

#include <string.h>

void follow_init(struct follow *f)
{
	memset(f, 0, sizeof(*f));
}

static struct block_hash *slot(struct follow *f, uint32_t height)
{
	return &f->recent[height % FOLLOW_KNOWN_MAX];
}

void follow_load_tip(struct follow *f, uint32_t height, const struct block_hash *hash)
{
	f->started = true;
	f->height = height;
	f->known = 1;
	*slot(f, height) = *hash;
}

void follow_load_recent(struct follow *f, const struct block_hash *hashes, uint32_t first_height, uint32_t count)
{
	ASSERT(f->started);
	/* From the tip down, as far as it is one piece. */
	while (count && f->known < FOLLOW_KNOWN_MAX) {
		uint32_t height = first_height + --count, wanted = f->height - f->known;

		if (height > wanted)
			continue;
		if (height < wanted || f->known > f->height)
			return;
		*slot(f, height) = hashes[count];
		f->known++;
	}
}

const struct block_hash *follow_hash(const struct follow *f, uint32_t height)
{
	if (!f->started || height > f->height || f->height - height >= f->known)
		return NULL;
	return &f->recent[height % FOLLOW_KNOWN_MAX];
}

/* INV-F1: what does not build on the tip leaves no hole, it is not taken. */
bool follow_connect(struct follow *f, uint32_t height, const struct block_hash *hash, const struct block_hash *previous)
{
	if (!f->started) {
		follow_load_tip(f, height, hash);
		/* What it builds on is known for nothing: a reorganisation of our very first block needs it. */
		if (height) {
			*slot(f, height - 1) = *previous;
			f->known = 2;
		}
		return true;
	}
	if (height != f->height + 1 || !SAME(*previous, *follow_hash(f, f->height)))
		return false;
	f->height = height;
	*slot(f, height) = *hash;
	if (f->known < FOLLOW_KNOWN_MAX)
		f->known++;
	return true;
}

bool follow_undo(struct follow *f, struct block_hash *hash, struct block_hash *previous)
{
	if (!f->started || f->known < 2) /* INV-F2 */
		return false;
	*hash = *slot(f, f->height);
	*previous = *slot(f, f->height - 1);
	f->height--;
	f->known--;
	return true;
}

void follow_fork_start(const struct follow *f, struct follow_fork *fork, uint32_t other_height)
{
	ASSERT(f->started);
	fork->height = other_height < f->height ? other_height : f->height;
	fork->verdict = follow_hash(f, fork->height) ? FOLLOW_ASK : FOLLOW_TOO_DEEP;
}

void follow_fork_tell(const struct follow *f, struct follow_fork *fork, const struct block_hash *other)
{
	const struct block_hash *ours = follow_hash(f, fork->height);

	ASSERT(fork->verdict == FOLLOW_ASK && ours);
	if (SAME(*ours, *other)) {
		fork->verdict = FOLLOW_FOUND;
		return;
	}
	if (!fork->height || !follow_hash(f, fork->height - 1)) {
		fork->verdict = FOLLOW_TOO_DEEP;
		return;
	}
	fork->height--;
}
