#include "api/rpc/manual.h"

#include <stdio.h>
#include <string.h>

#include "api/rpc/mdoc.h"

static const char introduction[] =
	"The daemon lampod-cli listens on a unix socket, lampod.socket in its directory, for JSON-RPC 2.0: single calls, "
	"batches and notifications, as many at once as a client likes.  Calls are answered when they are done, not in the "
	"order in which they came; an answer ends with an empty line.  lampo-cli makes one call.\n\n"
	"Parameters are given by name, or by position in the order shown.  null stands for a parameter that is left out.  "
	"Where Core Lightning has a method, names and fields here are the same, and its clients can use this socket; a call "
	"may carry a \"filter\" as there.";

/* What the types of parameters and results mean. */
static const struct {
	enum lampo_type type;
	const char *doc;
} types[] = {
	{ LAMPO_MSAT, "An amount: an integer of millisatoshi.  A parameter may also be text with a unit: \"10msat\", \"10sat\", "
		      "\"0.001btc\"." },
	{ LAMPO_SAT, "The same, but a number without a unit is of satoshi." },
	{ LAMPO_PUBKEY, "A public key: 66 hex digits." },
	{ LAMPO_HASH, "32 bytes: 64 hex digits." },
	{ LAMPO_TXID, "The same, in the order in which explorers show transactions and blocks." },
	{ LAMPO_SCID, "A channel's place in the chain: block, transaction and output, as in 103x1x0." },
	{ LAMPO_SCID_DIR, "The same and a direction, as in 103x1x0/1: 0 leads from the lesser of the two node ids, 1 to it." },
	{ LAMPO_OUTPOINT, "An output of a transaction: txid:index." },
	{ LAMPO_FEERATE, "\"slow\", \"normal\" or \"urgent\" as bitcoind estimates them; \"6blocks\"; \"1000perkb\"; \"253perkw\"; or a "
			 "number, which is per 1000 virtual bytes." },
	{ LAMPO_CHANNEL, "A channel id, a short channel id, or the public key of a peer with one channel." },
	{ LAMPO_CHANNEL_OR_ALL, "A channel id, a short channel id, the public key of a peer, or \"all\"." },
	{ LAMPO_PERCENT, "A number from 0 to 100, with up to four decimals." },
};

static void add_types(struct buf *out)
{
	size_t i;

	buf_add_string(out, ".Sh TYPES\n.Bl -tag -width Ds\n");
	for (i = 0; i < ARRAY_COUNT(types); i++) {
		mdoc_macro(out, "It Sy", value_type_name(types[i].type));
		mdoc_text(out, types[i].doc);
	}
	buf_add_string(out, ".El\n");
}

static void add_synopsis(struct buf *out, const struct lampo_method *m)
{
	size_t i;

	buf_printf(out, ".Pp\n.Ic %s\n", m->name);
	for (i = 0; i < m->param_count; i++)
		if (!(m->params[i].flags & LAMPO_UNSUPPORTED))
			buf_printf(out, m->params[i].flags & LAMPO_REQUIRED ? ".Ar %s\n" : ".Op Ar %s\n", m->params[i].name);
}

static void add_params(struct buf *out, const struct lampo_method *m)
{
	size_t i;

	buf_add_string(out, ".Pp\nParameters:\n.Bl -tag -width Ds\n");
	for (i = 0; i < m->param_count; i++) {
		const struct lampo_param *p = &m->params[i];

		if (p->flags & LAMPO_UNSUPPORTED)
			continue;
		buf_printf(out, ".It Ar %s Pq %s\n", p->name, value_type_name(p->type));
		mdoc_text(out, p->doc);
		if (p->choices)
			buf_printf(out, "One of: %s.\n", p->choices);
		if (p->fallback)
			buf_printf(out, "Default: %s.\n", p->fallback);
		if (p->aliases)
			buf_printf(out, "Also called %s.\n", p->aliases);
	}
	buf_add_string(out, ".El\n");
}

static void add_results(struct buf *out, const struct lampo_method *m)
{
	size_t i;

	buf_add_string(out, ".Pp\nResult:\n.Bl -tag -width Ds -compact\n");
	for (i = 0; i < m->result_count; i++) {
		const struct lampo_result *r = &m->results[i];

		buf_printf(out, ".It Va %s Pq %s%s\n", *r->name ? r->name : "result", value_type_name(r->type),
			   r->flags & LAMPO_OPTIONAL ? ", not always" : "");
		mdoc_text(out, r->doc);
	}
	buf_add_string(out, ".El\n");
}

static void add_errors(struct buf *out, const struct lampo_method *m)
{
	size_t i;

	buf_add_string(out, ".Pp\nErrors:\n.Bl -tag -width Ds -compact\n");
	for (i = 0; i < m->error_count; i++) {
		buf_printf(out, ".It Er %d\n", m->errors[i].code);
		mdoc_text(out, m->errors[i].doc);
	}
	buf_add_string(out, ".El\n");
}

static void add_method(struct buf *out, const struct lampo_method *m)
{
	buf_printf(out, ".Ss %s\n%s.\n", m->name, m->summary);
	if (m->aliases)
		buf_printf(out, "Also called %s.\n", m->aliases);
	add_synopsis(out, m);
	if (m->doc) {
		buf_add_string(out, ".Pp\n");
		mdoc_text(out, m->doc);
	}
	if (m->param_count)
		add_params(out, m);
	if (m->result_count)
		add_results(out, m);
	if (m->error_count)
		add_errors(out, m);
}

static const char general_errors[] =
	"Beside its own, any method may fail with the codes of JSON-RPC: -32700 if what was sent is not JSON, -32600 if it is "
	"no request, -32601 if there is no such method, -32602 if a parameter is missing, unknown or not of its type (the "
	"message names it), -32603 after a fault of the daemon's own.  Calls that wait when the daemon stops fail with -5.";

void manual_methods(struct buf *out, const struct rpc *rpc)
{
	const struct lampo_method *m;
	uint32_t at = 0;

	mdoc_begin(out, "lampo-methods", "7", "methods of the Lampo daemon");
	buf_add_string(out, ".Sh DESCRIPTION\n");
	mdoc_text(out, introduction);
	add_types(out);
	buf_add_string(out, ".Sh METHODS\n");
	while ((m = rpc_method_next(rpc, &at)))
		add_method(out, m);
	buf_add_string(out, ".Sh DIAGNOSTICS\n");
	mdoc_text(out, general_errors);
	buf_add_string(out, ".Sh SEE ALSO\n.Xr lampo-cli 1 ,\n.Xr lampod-cli 8\n");
}
