/* Following chains that fork, shrink and lie. */
#include "chain/follow.h"

#include <string.h>

#include "tests/test.h"

/* Block hashes of a made-up chain: branch and height. */
static struct block_hash hash_of(uint8_t branch, uint32_t height)
{
	struct block_hash h;

	memset(&h, 0, sizeof(h));
	h.v[0] = branch;
	store_be32(h.v + 1, height);
	return h;
}

static void grow(struct follow *f, uint8_t branch, uint32_t from, uint32_t to)
{
	for (uint32_t height = from; height <= to; height++) {
		struct block_hash hash = hash_of(branch, height), previous = *follow_hash(f, height - 1);

		CHECK(follow_connect(f, height, &hash, &previous));
	}
}

static void start(struct follow *f, uint32_t height)
{
	struct block_hash hash = hash_of(0, height), previous = hash_of(0, height - 1);

	follow_init(f);
	CHECK(follow_connect(f, height, &hash, &previous));
}

/* The height of the fork with a chain that is branch 0 up to `common` and branch 1 above, UINT32_MAX: too deep. */
static uint32_t fork_with(const struct follow *f, uint32_t common, uint32_t best, uint32_t *asked)
{
	struct follow_fork fork;

	*asked = 0;
	follow_fork_start(f, &fork, best);
	while (fork.verdict == FOLLOW_ASK) {
		struct block_hash other = hash_of(fork.height <= common ? 0 : 1, fork.height);

		++*asked;
		follow_fork_tell(f, &fork, &other);
	}
	return fork.verdict == FOLLOW_FOUND ? fork.height : UINT32_MAX;
}

TEST(blocks_must_build_on_the_tip)
{
	struct follow f;
	struct block_hash a = hash_of(0, 11), wrong = hash_of(9, 10), right = hash_of(0, 10);

	start(&f, 10);
	CHECK(!follow_connect(&f, 11, &a, &wrong));
	CHECK(!follow_connect(&f, 12, &a, &right));
	CHECK(!follow_connect(&f, 10, &a, &right));
	CHECK_EQ(f.height, 10);
	CHECK(follow_connect(&f, 11, &a, &right));
	CHECK_EQ(f.height, 11);
}

TEST(a_reorganisation_of_a_hundred_blocks_is_undone)
{
	struct follow f;
	struct block_hash hash, previous, want;
	uint32_t asked;

	start(&f, 1000);
	grow(&f, 0, 1001, 1400);
	CHECK_EQ(fork_with(&f, 1300, 1450, &asked), 1300);
	CHECK_EQ(asked, 101);
	for (uint32_t height = 1400; height > 1300; height--) {
		CHECK(follow_undo(&f, &hash, &previous));
		want = hash_of(0, height);
		CHECK(SAME(hash, want));
		want = hash_of(0, height - 1);
		CHECK(SAME(previous, want));
	}
	grow(&f, 1, 1301, 1450);
	CHECK_EQ(fork_with(&f, 1300, 1450, &asked), 1450);
	CHECK_EQ(asked, 1);
}

TEST(a_deeper_one_is_told_before_anything_is_undone)
{
	struct follow f;
	uint32_t asked;

	start(&f, 1000);
	grow(&f, 0, 1001, 1400);
	CHECK_EQ(fork_with(&f, 1400 - FOLLOW_KNOWN_MAX + 1, 1450, &asked), 1400 - FOLLOW_KNOWN_MAX + 1);
	CHECK_EQ(fork_with(&f, 1400 - FOLLOW_KNOWN_MAX, 1450, &asked), UINT32_MAX);
	CHECK_EQ(asked, FOLLOW_KNOWN_MAX);
	CHECK_EQ(f.height, 1400);
	/* A chain shorter than all that we remember. */
	CHECK_EQ(fork_with(&f, 900, 900, &asked), UINT32_MAX);
	CHECK_EQ(asked, 0);
}

TEST(a_shorter_chain_undoes_down_to_it)
{
	struct follow f;
	uint32_t asked;

	start(&f, 100);
	grow(&f, 0, 101, 110);
	CHECK_EQ(fork_with(&f, 200, 105, &asked), 105);
	CHECK_EQ(asked, 1);
}

TEST(the_first_block_can_be_undone)
{
	struct follow f;
	struct block_hash hash, previous, want = hash_of(0, 99);
	uint32_t asked;

	start(&f, 100);
	CHECK_EQ(fork_with(&f, 99, 100, &asked), 99);
	CHECK(follow_undo(&f, &hash, &previous));
	CHECK(SAME(previous, want));
	CHECK_EQ(f.height, 99);
	CHECK(!follow_undo(&f, &hash, &previous));
	CHECK_EQ(f.height, 99);
}

TEST(a_chain_of_the_genesis_alone_has_no_fork_below)
{
	struct follow f;
	struct block_hash genesis = hash_of(0, 0), none;
	uint32_t asked;

	memset(&none, 0, sizeof(none));
	follow_init(&f);
	CHECK(!follow_hash(&f, 0));
	CHECK(follow_connect(&f, 0, &genesis, &none));
	CHECK_EQ(fork_with(&f, 5, 5, &asked), 0);
	CHECK(!follow_undo(&f, &none, &none));
}

TEST(the_stored_tip_and_headers_come_back)
{
	struct follow f;
	struct block_hash hashes[30], tip = hash_of(0, 500), want;
	uint32_t asked;

	for (uint32_t i = 0; i < 30; i++)
		hashes[i] = hash_of(0, 471 + i);
	follow_init(&f);
	follow_load_tip(&f, 500, &tip);
	follow_load_recent(&f, hashes, 471, 30);
	CHECK_EQ(f.known, 30);
	want = hash_of(0, 471);
	CHECK(SAME(*follow_hash(&f, 471), want));
	CHECK(!follow_hash(&f, 470));
	CHECK(!follow_hash(&f, 501));
	CHECK_EQ(fork_with(&f, 480, 600, &asked), 480);
	/* A hole below the tip: what is under it is not used. */
	follow_init(&f);
	follow_load_tip(&f, 500, &tip);
	follow_load_recent(&f, hashes, 471, 28);
	CHECK_EQ(f.known, 1);
}
