#include "tests/test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/lampod-cli/config.h"
#include "cmd/lampod-cli/instance.h"
#include "cmd/lampod-cli/manual.h"

static char directory[64];
static struct config config;
static char why[CONFIG_WHY_SIZE];

static const char *in(const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void setup(void)
{
	config_release(&config);
	snprintf(directory, sizeof(directory), "/tmp/lampo-config-XXXXXX");
	CHECK(mkdtemp(directory));
	setenv("HOME", directory, 1);
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in(name), "w");

	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static bool load(int argc, ...)
{
	const char *argv[20] = { "lampod-cli" };
	va_list ap;
	int i;

	va_start(ap, argc);
	for (i = 0; i < argc; i++)
		argv[i + 1] = va_arg(ap, const char *);
	va_end(ap);
	config_release(&config);
	why[0] = 0;
	return config_load(&config, argc + 1, argv, why);
}

#define REFUSED(part) (why[0] && (strstr(why, part) || (test_failed(__FILE__, __LINE__, "%s", why), false)))

TEST(a_file_as_lampo_writes_it)
{
	setup();
	put("lampo.conf", "# a comment\n\n  backend=core\ncore-url = http://127.0.0.1:38332\r\ncore-user=lampo\n"
			  "core-pass=la=mpo#1\nlog-level=trace\nlog-file=~/lampo.log\nnetwork=signet\nport=39736\n"
			  "dev-sync=true\nfast-sync=false\nreindex=307000\nalias=bob's node\n"
			  "announce-addr=203.0.113.7\nannounce-addr=[2001:db8::1]:9735");
	CHECK(load(2, "--config", directory));
	CHECK_EQ(config.action, CONFIG_RUN);
	CHECK_STR(config.directory, directory);
	CHECK_STR(config.file, in("lampo.conf"));
	CHECK_STR(config.network->name, "signet");
	CHECK_STR(config.backend, "core");
	CHECK_STR(config.core_url, "http://127.0.0.1:38332");
	CHECK_STR(config.core_user, "lampo");
	CHECK_STR(config.core_pass, "la=mpo#1");
	CHECK(!config.core_cookie);
	CHECK_STR(config.log_file, in("lampo.log"));
	CHECK_STR(config.alias, "bob's node");
	CHECK_EQ(config.log_level, LOG_TRACE);
	CHECK_EQ(config.port, 39736);
	CHECK(config.dev_sync && !config.fast_sync && config.has_reindex);
	CHECK_EQ(config.reindex, 307000);
	CHECK_EQ(config.announce_count, 2);
	CHECK_STR(config.announce[0].host, "203.0.113.7");
	CHECK_EQ(config.announce[0].port, 0);
	CHECK_STR(config.announce[1].host, "2001:db8::1");
	CHECK_EQ(config.announce[1].port, 9735);
}

TEST(flags_win_over_the_file)
{
	setup();
	put("lampod.conf", "network=signet\ncore-user=a\ncore-pass=b\nport=1\nannounce-addr=a.example\nlog-level=error\n");
	CHECK(load(10, "--config", directory, "-n", "regtest", "--core-pass", "c", "--announce-addr=b.example", "--port=2",
		   "--client", "core"));
	CHECK_STR(config.network->name, "regtest");
	CHECK_STR(config.core_user, "a");
	CHECK_STR(config.core_pass, "c");
	CHECK_EQ(config.port, 2);
	CHECK_EQ(config.announce_count, 1);
	CHECK_STR(config.announce[0].host, "b.example");
	CHECK_EQ(config.log_level, LOG_ERROR);
}

TEST(what_was_not_said_follows_from_the_network)
{
	setup();
	CHECK(load(4, "-d", directory, "-n", "bitcoin"));
	CHECK(!config.file);
	CHECK_STR(config.directory, directory);
	CHECK_EQ(config.port, 9735);
	CHECK_STR(config.core_url, "http://127.0.0.1:8332");
	CHECK_STR(config.core_cookie, in(".bitcoin/.cookie"));
	CHECK(config.fast_sync && !config.dev_sync && config.log_level == LOG_INFO);
	CHECK(load(4, "-d", directory, "--network", "testnet"));
	CHECK_STR(config.core_cookie, in(".bitcoin/testnet3/.cookie"));
	CHECK(load(4, "-d", directory, "--network=testnet4", "--core-url=127.0.0.1:5"));
	CHECK_STR(config.core_url, "http://127.0.0.1:5");
	CHECK_EQ(config.port, 49735);
}

TEST(where_the_node_lives)
{
	char below[200], file[300];

	setup();
	CHECK(load(0));
	CHECK_STR(config.directory, in(".lampo/testnet"));
	CHECK(load(2, "-n", "regtest"));
	CHECK_STR(config.directory, in(".lampo/regtest"));
	/* Lampo's layout: the directory of the network, with or without a file. */
	snprintf(below, sizeof(below), "%s/regtest", directory);
	CHECK(mkdir(below, 0700) == 0);
	CHECK(load(4, "-d", directory, "-n", "regtest"));
	CHECK_STR(config.directory, below);
	put("regtest/lampo.conf", "network=regtest\nport=7\n");
	CHECK(load(4, "-d", directory, "-n", "regtest"));
	CHECK_STR(config.directory, below);
	CHECK_EQ(config.port, 7);
	/* A file in the directory itself says that this is it. */
	put("lampo.conf", "network=regtest\nport=8\n");
	CHECK(load(4, "-d", directory, "-n", "regtest"));
	CHECK_STR(config.directory, directory);
	CHECK_EQ(config.port, 8);
	/* The file itself, and keys apart from configuration. */
	snprintf(file, sizeof(file), "%s/lampo.conf", below);
	CHECK(load(2, "--config", file));
	CHECK_STR(config.directory, below);
	CHECK_EQ(config.port, 7);
	CHECK(load(4, "--config", below, "-d", "/tmp/elsewhere"));
	CHECK_STR(config.directory, "/tmp/elsewhere");
	CHECK_EQ(config.port, 7);
}

TEST(faults_name_the_file_the_line_and_the_remedy)
{
	static const struct {
		const char *line, *says;
	} wrong[] = {
		{ "colour=blue", "lampo.conf, line 3: there is no key 'colour'" },
		{ "colour=blue", "core-url" },
		{ "alias", "lampo.conf, line 3: 'alias' has no value: write alias=VALUE" },
		{ "port=70000", "line 3: port=70000 should be a port from 1 to 65535" },
		{ "port=0", "port=0 should be" },
		{ "port=http", "port=http should be" },
		{ "port=", "port= should be" },
		{ "network=moonnet", "network=moonnet should be bitcoin, testnet, testnet4, signet or regtest" },
		{ "backend=abacus", "backend=abacus should be core" },
		{ "log-level=chatty", "log-level=chatty should be trace, debug, info, warn or error" },
		{ "fast-sync=maybe", "fast-sync=maybe should be true or false" },
		{ "reindex=-1", "reindex=-1 should be a block height" },
		{ "announce-addr=a b", "announce-addr=a b should be an address" },
		{ "bind-addr=127.0.0.1:9", "bind-addr=127.0.0.1:9 should be an address without a port" },
		{ "core-url=ftp://x", "core-url=ftp://x should be a URL" },
		{ "alias=012345678901234567890123456789012", "should be text of at most 32 bytes" },
		{ "core-user=a:b", "core-user=a:b should be a name without a colon" },
		{ "core-user=a", "core-user is given without core-pass" },
		{ "help=true", "there is no key 'help'" },
		{ "restore-wallet=abandon", "there is no key 'restore-wallet'" },
		{ "dev-sync=true", "line 3: 'dev-sync' is given already in line 2" },
		{ "dev-sync=sometimes", "line 3: dev-sync=sometimes should be true or false" },
		{ "\x1b[31m=1", "there is no key '\\x1b[31m'" },
		{ "channels-max=0", "channels-max=0 should be" },
		{ "funding-min=1.0000000001sat", "should be an amount" },
	};
	char text[300];
	size_t i;

	setup();
	for (i = 0; i < ARRAY_COUNT(wrong); i++) {
		snprintf(text, sizeof(text), "# first\ndev-sync=false\n%s\n", wrong[i].line);
		put("lampo.conf", text);
		CHECK(!load(2, "--config", directory));
		CHECK(REFUSED(wrong[i].says));
	}
}

TEST(a_password_is_never_shown)
{
	setup();
	put("lampo.conf", "core-pass=\x01hunter2\ncore-user=x\n");
	CHECK(load(2, "--config", directory));
	put("lampo.conf", "core-pass=hunter2\ncore-pass=hunter2\n");
	CHECK(!load(2, "--config", directory));
	CHECK(REFUSED("given already") && !strstr(why, "hunter2"));
	put("lampo.conf", "");
	CHECK(!load(4, "-d", directory, "--restore-wallet", ""));
	CHECK(REFUSED("--restore-wallet should be 12 or 24 words"));
}

TEST(missing_files_and_directories)
{
	char none[100];

	setup();
	CHECK(!load(2, "--config", directory));
	CHECK(REFUSED(directory) && REFUSED("lampo.conf") && REFUSED("write one"));
	snprintf(none, sizeof(none), "%s/none", directory);
	CHECK(!load(2, "--config", none));
	CHECK(REFUSED(none) && REFUSED("nor this directory"));
	CHECK(load(2, "-d", none));
	CHECK_STR(config.directory, none);
	unsetenv("HOME");
	CHECK(!load(0));
	CHECK(REFUSED("-d DIR"));
}

TEST(wrong_flags)
{
	setup();
	CHECK(!load(1, "--no-such-flag"));
	CHECK(REFUSED("--no-such-flag") && REFUSED("--help"));
	CHECK(!load(1, "-x"));
	CHECK(!load(1, "-dir"));
	CHECK(!load(1, "run"));
	CHECK(REFUSED("new-wallet"));
	CHECK(!load(1, "--port"));
	CHECK(REFUSED("--port needs a value"));
	CHECK(!load(4, "-d", directory, "--port", "x"));
	CHECK(REFUSED("--port x should be a port"));
}

TEST(actions)
{
	struct buf help = BUF_EMPTY;

	setup();
	/* Help and version do not care for a broken file. */
	put("lampo.conf", "nonsense\n");
	CHECK(load(3, "--config", directory, "--help"));
	CHECK_EQ(config.action, CONFIG_SHOW_HELP);
	CHECK(load(3, "--config", directory, "-V"));
	CHECK_EQ(config.action, CONFIG_SHOW_VERSION);
	CHECK(load(2, "--dump-man", "lampod-cli"));
	CHECK_EQ(config.action, CONFIG_DUMP_MANUAL);
	CHECK_STR(config.manual, "lampod-cli");
	put("lampo.conf", "network=regtest\n");
	CHECK(load(3, "--config", directory, "new-wallet"));
	CHECK_EQ(config.action, CONFIG_NEW_WALLET);
	CHECK(load(4, "--config", directory, "--restore-wallet", "abandon about"));
	CHECK_STR(config.restore_words, "abandon about");
	config_help(&help);
	buf_add_u8(&help, 0);
	CHECK(strstr((char *)help.data, "--core-cookie FILE") && strstr((char *)help.data, "-d, --data-dir DIR"));
	CHECK(!strstr((char *)help.data, "dump-man"));
	buf_release(&help);
	config_release(&config);
}

/* A page must say what the program does.  LAMPO_WRITE_MAN=1 writes it anew. */
static void check_page(const char *name, const char *path)
{
	struct buf page = BUF_EMPTY, there = BUF_EMPTY;
	FILE *f;
	int c;

	CHECK(manual_page(&page, name));
	if (getenv("LAMPO_WRITE_MAN")) {
		f = fopen(path, "w");
		CHECK(f && fwrite(page.data, 1, page.size, f) == page.size && fclose(f) == 0);
	}
	f = fopen(path, "r");
	if (!f)
		test_skip("not run from the top of the tree");
	while ((c = getc(f)) != EOF)
		buf_add_u8(&there, (uint8_t)c);
	fclose(f);
	if (!bytes_equal(buf_view(&there), buf_view(&page)))
		test_failed(__FILE__, __LINE__, "%s is old: run this test with LAMPO_WRITE_MAN=1", path);
	buf_release(&page);
	buf_release(&there);
}

TEST(the_manual_is_current)
{
	struct buf none = BUF_EMPTY;

	check_page("lampod-cli", "man/lampod-cli.8");
	check_page("lampo-methods", "man/lampo-methods.7");
	CHECK(!manual_page(&none, "lampo"));
}

/* True if another process gets the lock. */
static bool other_process_locks(const char *path)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		char reason[CONFIG_WHY_SIZE];

		if (instance_lock(path, reason))
			_exit(0);
		_exit(strstr(reason, path) && strstr(reason, "another daemon (process ") ? 1 : 2);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	CHECK(WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

TEST(one_daemon_a_directory)
{
	char path[200];
	struct stat st;

	setup();
	snprintf(path, sizeof(path), "%s/a/b", directory);
	/* A lock ends with its process. */
	CHECK(other_process_locks(path));
	CHECK(other_process_locks(path));
	CHECK(instance_lock(path, why));
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0700);
	CHECK(!other_process_locks(path));
	put("file", "");
	CHECK(!instance_lock(in("file"), why));
	CHECK(REFUSED("file"));
	CHECK(instance_lock(in("./x/"), why));
}
