/* A Lightning node in a program: its chain is in memory and one block long, and
 * it has a method of its own.  Build: cc embed.c $(pkg-config --cflags --libs lampo) */
#include <lampo/lampo.h>
#include <stdio.h>
#include <string.h>

/* Regtest's first block. */
static const char genesis[] =
	"0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a"
	"51323a9fb8aa4b1e5e4adae5494dffff7f2002000000010100000001000000000000000000000000000000000000000000000000000000000000"
	"0000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f"
	"66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b710"
	"5cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000";
static const char genesis_hash[] = "06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f";

static void unhex(unsigned char *out, const char *hex)
{
	for (unsigned byte; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		*out++ = (unsigned char)byte;
}
static enum lampo_verdict tip(void *context, struct lampo_tip *out, char *error)
{
	unhex(out->hash32, genesis_hash); /* and both heights are 0 */
	return (void)context, (void)error, LAMPO_OK;
}
static enum lampo_verdict block_hash(void *context, uint32_t height, uint8_t hash32[32], char *error)
{
	unhex(hash32, genesis_hash);
	return (void)context, strcpy(error, "there is one block only"), height == 0 ? LAMPO_OK : LAMPO_NO;
}
static enum lampo_verdict block(void *context, const uint8_t hash32[32], struct lampo_buffer *out, char *error)
{
	unsigned char raw[sizeof(genesis) / 2];
	unhex(raw, genesis);
	lampo_buffer_add(out, raw, sizeof(raw));
	return (void)context, (void)hash32, (void)error, LAMPO_OK;
}
static enum lampo_verdict broadcast(void *context, const struct lampo_bytes *txs, size_t count, char *error)
{
	return (void)context, (void)txs, (void)count, strcpy(error, "nobody mines here"), LAMPO_NO;
}
static enum lampo_verdict feerate(void *context, uint32_t blocks, uint32_t *per_kw, char *error)
{
	*per_kw = blocks ? 1000 : 253;
	return (void)context, (void)error, LAMPO_OK;
}
static enum lampo_verdict utxo(void *context, const struct lampo_outpoint *o, uint64_t *sat, struct lampo_buffer *s, char *error)
{
	return (void)context, (void)o, (void)sat, (void)s, strcpy(error, "there are no outputs"), LAMPO_NO;
}
static void hello(void *context, struct lampo_call *call, const char *params)
{
	(void)context, (void)params;
	lampo_call_reply(call, "{\"hello\": \"world\"}");
}
static void answered(void *node, int code, const char *json)
{
	printf("%d %s\n", code, json);
	if (strstr(json, "blockheight")) /* the second answer */
		lampo_node_stop(node);
}
int main(void)
{
	const struct lampo_backend chain = { sizeof(chain), NULL, tip, block_hash, block, broadcast, feerate, utxo, NULL, NULL };
	const struct lampo_method method = { .name = "hello", .summary = "Greet", .handler = hello };
	struct lampo_config *config = lampo_config_new("regtest");
	char error[LAMPO_ERROR_SIZE] = "the seed is too short";
	struct lampo_node *node = NULL;
	lampo_config_directory(config, ".");
	lampo_config_backend(config, &chain);
	lampo_config_method(config, &method);
	if (!lampo_config_seed(config, "an example's seed: choose your own!", 35) || !(node = lampo_node_new(config, error)))
		return fprintf(stderr, "%s\n", error), 1;
	lampo_config_free(config);
	lampo_node_call(node, "hello", NULL, answered, node);
	lampo_node_call(node, "getinfo", NULL, answered, node);
	lampo_node_run(node);
	lampo_node_free(node);
	return 0;
}
