#include "cmd/lampod-cli/manual.h"

#include <string.h>

#include "api/method/schemas.h"
#include "api/rpc/manual.h"
#include "api/rpc/mdoc.h"
#include "cmd/lampod-cli/option.h"

static const char description[] =
	"runs a Lightning node on the Bitcoin network: it keeps channels with other nodes, pays and is paid.  It needs a "
	"bitcoind, which may prune, and follows the chain through its RPC.  lampo-cli talks to it.\n\n"
	"At its first start the node makes a wallet and shows twelve or twenty-four words, once.  They are the wallet: write "
	"them on paper.  With them alone every coin on the chain can be found again; what is in channels needs the node's "
	"directory too.  An old copy of the directory must never be started: the node would be taken for a cheat.\n\n"
	"One directory serves one node, and one daemon at a time.";

static const char file[] =
	"The node reads lampo.conf, or lampod.conf, in its directory: a line a key, key=value, and comments after #.  The keys "
	"are the flags above without the dashes; flags win.  A key that is not known, or a value that is not as it should be, "
	"ends the start with the file, the line and what to write instead.";

static const char layout[] =
	"With --config DIR or -d DIR the node lives in DIR, or in DIR/NETWORK if that is there and DIR has no file.  With "
	"neither it lives in ~/.lampo/NETWORK.";

static void add_option(struct buf *out, const struct option *o)
{
	buf_add_string(out, ".It ");
	if (o->letter)
		buf_printf(out, "Fl %c , ", o->letter);
	buf_printf(out, "Fl -%s", o->key);
	if (o->flag_alias)
		buf_printf(out, " , Fl -%s", o->flag_alias);
	if (o->value)
		buf_printf(out, " Ar %s", o->value);
	buf_add_string(out, "\n");
	mdoc_text(out, o->doc);
}

static void add_flags(struct buf *out)
{
	size_t i;

	buf_add_string(out, ".Bl -tag -width Ds\n");
	for (i = 0; i < option_count; i++)
		if (options[i].scope != OPTION_HIDDEN)
			add_option(out, &options[i]);
	buf_add_string(out, ".It Cm new-wallet\nMake a wallet, show its words, and end.\n.El\n");
}

static void lampod_page(struct buf *out)
{
	mdoc_begin(out, "lampod-cli", "8", "Lightning node");
	buf_add_string(out, ".Sh SYNOPSIS\n.Nm\n.Op Fl -config Ar DIR | Fl d Ar DIR\n.Op Fl n Ar NETWORK\n.Op Ar flag ...\n"
			    ".Op Cm new-wallet\n.Sh DESCRIPTION\n.Nm\n");
	mdoc_text(out, description);
	buf_add_string(out, ".Pp\n");
	mdoc_text(out, layout);
	buf_add_string(out, ".Pp\nThe flags are:\n");
	add_flags(out);
	buf_add_string(out, ".Sh FILES\n");
	mdoc_text(out, file);
	buf_add_string(out, ".Bl -tag -width lampod.socket\n.It Pa lampo.conf\nThe configuration.\n"
			    ".It Pa lampod.socket\nWhere clients connect; nobody but the user who runs the daemon can.\n"
			    ".It Pa emergency.recover\nWhat is needed to get the money out of the channels when everything else is lost, "
			    "encrypted with a key from the words.\nRewritten at each change: copy it away.\n"
			    "A node that is made anew from its words (\n.Fl -restore-wallet )\nwith this file in its directory "
			    "brings its channels back by itself.\n"
			    ".It Pa lampod.lock\nHeld by the daemon that uses the directory.\n.El\n");
	buf_add_string(out, ".Sh EXIT STATUS\n0 after\n.Ic lampo-cli stop\nor a signal to terminate, 1 after an error.\n"
			    ".Sh EXAMPLES\nA node on signet beside a bitcoind of the same user:\n.Bd -literal -offset indent\n"
			    "lampod-cli -n signet --alias mine --log-file ~/lampo.log\n.Ed\n"
			    ".Sh SEE ALSO\n.Xr lampo-cli 1 ,\n.Xr lampo-methods 7\n");
}

static void not_served(void *context, struct lampo_call *call, struct params *params)
{
	(void)context;
	(void)params;
	rpc_fail(call, RPC_INTERNAL_ERROR, NULL, "a manual serves no calls");
}

static void methods_page(struct buf *out)
{
	struct rpc_limits limits;
	char why[RPC_WHY_SIZE];
	struct rpc *rpc;
	size_t i;

	rpc_limits_default(&limits);
	rpc = rpc_new(&limits);
	for (i = 0; i < schemas_bundled_count; i++)
		ASSERT(rpc_add(rpc, schemas_bundled[i], not_served, NULL, why));
	manual_methods(out, rpc);
	rpc_free(rpc);
}

bool manual_page(struct buf *out, const char *name)
{
	if (strcmp(name, "lampod-cli") == 0)
		lampod_page(out);
	else if (strcmp(name, "lampo-methods") == 0)
		methods_page(out);
	else
		return false;
	return true;
}
