#include "cmd/lampod-cli/wallet_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define FILE_NAME "wallet.words"
#define FILE_SIZE_MAX 1024
#define FIRST_LINE "lampo-wallet 1\n"
#define ENTROPY_SIZE 32 /* twenty-four words */

void wallet_file_release(struct wallet_file *w)
{
	buf_wipe(&w->words);
}

static void path_of(char path[4096], const char *directory, const char *suffix)
{
	snprintf(path, 4096, "%s/" FILE_NAME "%s", directory, suffix);
}

/* The user typed it and must see which; it is none of the wallet's words, or the sentence would be good. */
static void name_word(struct buf *out, struct bytes sentence, size_t index)
{
	const char *at = (const char *)sentence.data, *end = at + sentence.size, *word = at;

	for (size_t i = 0; i <= index; i++) {
		while (at < end && strchr(" \t\r\n", *at))
			at++;
		for (word = at; at < end && !strchr(" \t\r\n", *at);)
			at++;
	}
	buf_printf(out, " (\"%.*s\")", (int)(at - word), word);
}

/* The same words in one form: lower case, single spaces. */
static bool normalise(struct buf *out, struct bytes sentence, char why[CONFIG_WHY_SIZE])
{
	struct buf entropy = BUF_EMPTY, text = BUF_EMPTY;
	struct bip39_error error;
	bool ok = bip39_decode(&entropy, &error, sentence);

	if (ok) {
		bip39_encode(out, buf_view(&entropy));
	} else {
		bip39_explain(&text, &error);
		if (error.fault == BIP39_UNKNOWN_WORD)
			name_word(&text, sentence, error.word_index);
		snprintf(why, CONFIG_WHY_SIZE, "these are not the words of a wallet: %.*s", (int)text.size, (const char *)text.data);
	}
	buf_wipe(&entropy);
	buf_release(&text);
	return ok;
}

/* ---- Reading ---- */

static bool parse_line(struct wallet_file *w, const char *line, char why[CONFIG_WHY_SIZE])
{
	char *end;

	if (strncmp(line, "words ", 6) == 0)
		return normalise(&w->words, bytes_from_string(line + 6), why);
	if (strncmp(line, "birthday ", 9) == 0) {
		w->has_birthday = true;
		w->birthday_height = (uint32_t)strtoul(line + 9, &end, 10);
		return end != line + 9 && !*end;
	}
	return false;
}

static bool parse(struct wallet_file *w, char *text, char why[CONFIG_WHY_SIZE])
{
	char *rest, *line;

	if (strncmp(text, FIRST_LINE, strlen(FIRST_LINE)))
		return false;
	for (line = strtok_r(text + strlen(FIRST_LINE), "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (!parse_line(w, line, why))
			return false;
	return w->words.size > 0;
}

/* *absent: there is no such file. */
static bool read_file(struct wallet_file *w, const char *path, bool *absent, char why[CONFIG_WHY_SIZE])
{
	char text[FILE_SIZE_MAX + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	bool ok;

	*absent = fd < 0 && errno == ENOENT;
	if (fd < 0) {
		snprintf(why, CONFIG_WHY_SIZE, "cannot read %.500s: %s", path, strerror(errno));
		return false;
	}
	n = read(fd, text, FILE_SIZE_MAX);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	snprintf(why, CONFIG_WHY_SIZE, "it is not a wallet's file, or one of a newer version");
	ok = n > 0 && parse(w, text, why);
	mem_wipe(text, sizeof(text));
	if (!ok) {
		char reason[CONFIG_WHY_SIZE];

		memcpy(reason, why, sizeof(reason));
		snprintf(why, CONFIG_WHY_SIZE, "%.300s: %.500s", path, reason);
	}
	return ok;
}

/* ---- Writing ---- */

static bool write_all(int fd, struct bytes b)
{
	while (b.size) {
		ssize_t n = write(fd, b.data, b.size);

		if (n <= 0)
			return false;
		b.data += n;
		b.size -= (size_t)n;
	}
	return fsync(fd) == 0;
}

static bool sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Whole or not at all, and on the disk before a key of it is used; never over a file that is there. */
static bool write_file(const struct wallet_file *w, const char *directory, char why[CONFIG_WHY_SIZE])
{
	char path[4096], fresh[4096];
	struct buf text = BUF_EMPTY;
	int fd;
	bool ok;

	path_of(path, directory, "");
	path_of(fresh, directory, ".new");
	buf_add_string(&text, FIRST_LINE);
	if (w->has_birthday)
		buf_printf(&text, "birthday %u\n", w->birthday_height);
	buf_add_string(&text, "words ");
	buf_add_bytes(&text, buf_view(&w->words));
	buf_add_u8(&text, '\n');
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ok = fd >= 0 && write_all(fd, buf_view(&text)) && link(fresh, path) == 0 && sync_directory(directory);
	if (!ok)
		snprintf(why, CONFIG_WHY_SIZE, "cannot write %.500s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	unlink(fresh);
	buf_wipe(&text);
	return ok;
}

/* ---- Making ---- */

static bool words_from_stdin(struct buf *out)
{
	char line[FILE_SIZE_MAX];
	bool ok = fgets(line, sizeof(line), stdin) != NULL;

	if (ok)
		buf_add_string(out, line);
	mem_wipe(line, sizeof(line));
	return ok;
}

static bool given_words(struct buf *out, const struct config *c, char why[CONFIG_WHY_SIZE])
{
	struct buf text = BUF_EMPTY;
	bool ok = true;

	if (strcmp(c->restore_words, "-") == 0) {
		ok = words_from_stdin(&text);
		if (!ok)
			snprintf(why, CONFIG_WHY_SIZE, "no words came on the standard input");
	} else {
		buf_add_string(&text, c->restore_words);
	}
	ok = ok && normalise(out, buf_view(&text), why);
	buf_wipe(&text);
	return ok;
}

static void fresh_words(struct buf *out)
{
	uint8_t entropy[ENTROPY_SIZE];

	ASSERT(getrandom(entropy, sizeof(entropy), 0) == sizeof(entropy));
	bip39_encode(out, BYTES_OF(entropy));
	mem_wipe(entropy, sizeof(entropy));
}

/* Nobody has been paid to a key of ours before segwit was there. */
static uint32_t first_block(const struct config *c)
{
	return strcmp(c->network->name, "bitcoin") == 0 ? 481824 : 0;
}

static bool make(struct wallet_file *w, const struct config *c, struct buf *given, char why[CONFIG_WHY_SIZE])
{
	w->words = *given;
	buf_init(given);
	if (!w->words.size) {
		fresh_words(&w->words);
		w->is_new = true;
	}
	if (c->has_reindex || !w->is_new || !c->fast_sync) {
		w->has_birthday = true;
		w->birthday_height = c->has_reindex ? c->reindex : first_block(c);
	}
	return write_file(w, c->directory, why);
}

bool wallet_file_open(struct wallet_file *w, const struct config *c, char why[CONFIG_WHY_SIZE])
{
	struct buf given = BUF_EMPTY;
	char path[4096];
	bool absent, ok;

	memset(w, 0, sizeof(*w));
	if (c->restore_words && !given_words(&given, c, why))
		return false;
	path_of(path, c->directory, "");
	ok = read_file(w, path, &absent, why);
	if (absent) {
		ok = make(w, c, &given, why);
	} else if (ok && given.size && !bytes_equal(buf_view(&given), buf_view(&w->words))) {
		snprintf(why, CONFIG_WHY_SIZE, "%.500s holds another wallet: it is not written over; choose another directory with -d", path);
		ok = false;
	}
	buf_wipe(&given);
	return ok;
}
