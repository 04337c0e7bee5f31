/* What this machine can do at most: the numbers that stand beside every
 * benchmark, measured in the same run.
 *
 *	limits FOLDER
 *
 * One JSON line: durable appends a second of the disk that holds FOLDER (one
 * page and one fdatasync each, as a store's log does), and ECDSA signatures and
 * verifications a second of one core, and verifications of two threads at once. */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <secp256k1.h>

#include "bench/clock.h"

#define SECONDS 2.0

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Appends of one page, each on the disk before the next. */
static double fsyncs_per_second(const char *folder)
{
	char name[4096], page[4096];
	double begin, spent;
	long count = 0;
	int fd;

	snprintf(name, sizeof(name), "%s/limits.XXXXXX", folder);
	fd = mkstemp(name);
	if (fd < 0)
		die(name);
	unlink(name);
	memset(page, 7, sizeof(page));
	begin = now();
	do {
		if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page) || fdatasync(fd) != 0)
			die("write");
		count++;
		spent = now() - begin;
	} while (spent < SECONDS);
	close(fd);
	return (double)count / spent;
}

static double signs_per_second(const secp256k1_context *ctx, const uint8_t key[32])
{
	secp256k1_ecdsa_signature sig;
	uint8_t hash[32] = { 1 };
	double begin = now(), spent;
	long count = 0;

	do {
		for (int i = 0; i < 64; i++, count++) {
			memcpy(hash, &count, sizeof(count));
			if (!secp256k1_ecdsa_sign(ctx, &sig, hash, key, NULL, NULL))
				exit(1);
		}
		spent = now() - begin;
	} while (spent < SECONDS);
	return (double)count / spent;
}

static double verifies_per_second(const secp256k1_context *ctx, const uint8_t key[32])
{
	secp256k1_ecdsa_signature sig;
	secp256k1_pubkey pub;
	uint8_t hash[32] = { 1 };
	double begin, spent;
	long count = 0;

	if (!secp256k1_ec_pubkey_create(ctx, &pub, key) || !secp256k1_ecdsa_sign(ctx, &sig, hash, key, NULL, NULL))
		exit(1);
	begin = now();
	do {
		for (int i = 0; i < 64; i++, count++)
			if (!secp256k1_ecdsa_verify(ctx, &sig, hash, &pub))
				exit(1);
		spent = now() - begin;
	} while (spent < SECONDS);
	return (double)count / spent;
}

struct verifier {
	const secp256k1_context *ctx;
	const uint8_t *key;
	double per_second;
};

static void *verify(void *context)
{
	struct verifier *v = context;

	v->per_second = verifies_per_second(v->ctx, v->key);
	return NULL;
}

/* What the signatures of a whole network can be checked with. */
static double verifies_on_two(const secp256k1_context *ctx, const uint8_t key[32])
{
	struct verifier v[2] = { { ctx, key, 0 }, { ctx, key, 0 } };
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, verify, &v[i]))
			die("a thread");
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return v[0].per_second + v[1].per_second;
}

int main(int argc, char **argv)
{
	secp256k1_context *ctx = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
	const uint8_t key[32] = { 0x42, [31] = 0x17 };

	if (argc != 2) {
		fprintf(stderr, "usage: limits FOLDER\n");
		return 2;
	}
	printf("{\"fsyncs_per_second\": %.0f, ", fsyncs_per_second(argv[1]));
	printf("\"signs_per_second\": %.0f, ", signs_per_second(ctx, key));
	printf("\"verifies_per_second\": %.0f, ", verifies_per_second(ctx, key));
	printf("\"verifies_on_two\": %.0f}\n", verifies_on_two(ctx, key));
	secp256k1_context_destroy(ctx);
	return 0;
}
