/* The file that a node's keys come from: made once, never written over. */
#include "cmd/lampod-cli/wallet_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

#define GOOD "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

static char directory[64], path[96];

static struct config config_of(const char *network, const char *words)
{
	struct config c = { .network = network_by_name(network), .directory = directory, .fast_sync = true };

	c.restore_words = (char *)(uintptr_t)words;
	return c;
}

static void begin(void)
{
	strcpy(directory, "/tmp/lampo-words-XXXXXX");
	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/wallet.words", directory);
}

static void end(void)
{
	unlink(path);
	CHECK(!rmdir(directory)); /* and nothing else was left there */
}

TEST(a_new_wallet_is_made_once)
{
	struct config c;
	struct wallet_file a, b;
	struct stat st;
	char why[CONFIG_WHY_SIZE];
	int spaces = 0;

	begin();
	c = config_of("bitcoin", NULL);
	CHECK(wallet_file_open(&a, &c, why));
	CHECK(a.is_new && !a.has_birthday);
	for (size_t i = 0; i < a.words.size; i++)
		spaces += a.words.data[i] == ' ';
	CHECK_EQ(spaces, 23);
	CHECK(!stat(path, &st));
	CHECK_EQ(st.st_mode & 0777, 0600);
	CHECK(wallet_file_open(&b, &c, why));
	CHECK(!b.is_new && !b.has_birthday);
	CHECK(bytes_equal(buf_view(&a.words), buf_view(&b.words)));
	wallet_file_release(&a);
	wallet_file_release(&b);
	end();
}

TEST(restored_words_are_kept_with_where_to_look)
{
	struct config c;
	struct wallet_file w;
	char why[CONFIG_WHY_SIZE];

	begin();
	c = config_of("bitcoin", "  ABANDON abandon abandon abandon abandon abandon\tabandon abandon abandon abandon abandon about\n");
	CHECK(wallet_file_open(&w, &c, why));
	CHECK(!w.is_new && w.has_birthday);
	CHECK_EQ(w.birthday_height, 481824);
	wallet_file_release(&w);
	/* The next start does not name them, and must still look for the coins. */
	c = config_of("bitcoin", NULL);
	CHECK(wallet_file_open(&w, &c, why));
	CHECK(!w.is_new && w.has_birthday);
	CHECK_EQ(w.birthday_height, 481824);
	CHECK(bytes_equal(buf_view(&w.words), bytes_from_string(GOOD)));
	wallet_file_release(&w);
	/* The same words again, or others. */
	c = config_of("bitcoin", GOOD);
	CHECK(wallet_file_open(&w, &c, why));
	wallet_file_release(&w);
	c = config_of("bitcoin", "legal winner thank year wave sausage worth useful legal winner thank yellow");
	CHECK(!wallet_file_open(&w, &c, why));
	CHECK(strstr(why, "another wallet"));
	wallet_file_release(&w);
	end();
}

TEST(a_height_that_is_given_is_where_to_look)
{
	struct config c;
	struct wallet_file w;
	char why[CONFIG_WHY_SIZE];

	begin();
	c = config_of("regtest", GOOD);
	c.has_reindex = true;
	c.reindex = 77;
	CHECK(wallet_file_open(&w, &c, why));
	CHECK(w.has_birthday);
	CHECK_EQ(w.birthday_height, 77);
	wallet_file_release(&w);
	end();
	begin();
	c = config_of("regtest", GOOD);
	CHECK(wallet_file_open(&w, &c, why));
	CHECK_EQ(w.birthday_height, 0);
	wallet_file_release(&w);
	end();
}

TEST(wrong_words_make_nothing)
{
	static const char *const wrong[][2] = {
		{ "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon", "checksum" },
		{ "abandon about", "12" },
		{ "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abuot", "\"abuot\"" },
		{ "zebra\tabuot  abandon abandon abandon abandon abandon abandon abandon abandon abandon about", "\"abuot\"" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		struct config c;
		struct wallet_file w;
		char why[CONFIG_WHY_SIZE];

		begin();
		c = config_of("regtest", wrong[i][0]);
		CHECK(!wallet_file_open(&w, &c, why));
		CHECK(strstr(why, wrong[i][1]));
		wallet_file_release(&w);
		end();
	}
}

TEST(a_damaged_file_is_not_replaced)
{
	static const char *const texts[] = {
		"", "lampo-wallet 2\nwords " GOOD "\n", "lampo-wallet 1\n", "lampo-wallet 1\nwords abandon about\n",
		"lampo-wallet 1\nbirthday x\nwords " GOOD "\n", "lampo-wallet 1\nwhat 7\nwords " GOOD "\n",
	};

	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct config c;
		struct wallet_file w;
		char why[CONFIG_WHY_SIZE] = "", now[200] = "";
		FILE *f;

		begin();
		f = fopen(path, "w");
		fputs(texts[i], f);
		fclose(f);
		c = config_of("regtest", i % 2 ? GOOD : NULL);
		CHECK(!wallet_file_open(&w, &c, why));
		CHECK(strstr(why, "wallet.words"));
		wallet_file_release(&w);
		f = fopen(path, "r");
		CHECK(fread(now, 1, sizeof(now) - 1, f) == strlen(texts[i]));
		fclose(f);
		CHECK_STR(now, texts[i]);
		end();
	}
}

TEST(words_may_come_from_standard_input)
{
	struct config c;
	struct wallet_file w;
	char why[CONFIG_WHY_SIZE];
	int fds[2];

	begin();
	CHECK(!pipe(fds));
	CHECK(write(fds[1], GOOD "\n", strlen(GOOD) + 1) == (ssize_t)strlen(GOOD) + 1);
	close(fds[1]);
	CHECK(dup2(fds[0], 0) == 0);
	close(fds[0]);
	c = config_of("regtest", "-");
	CHECK(wallet_file_open(&w, &c, why));
	CHECK(bytes_equal(buf_view(&w.words), bytes_from_string(GOOD)));
	wallet_file_release(&w);
	end();
}
