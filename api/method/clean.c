/* autoclean-once, autoclean-status. */
#include "api/method/inner.h"

#include <string.h>

/* Core Lightning's names. */
static const char *const names[CLEAN_SUBSYSTEMS] = {
	[CLEAN_SUCCEEDED_FORWARDS] = "succeededforwards", [CLEAN_FAILED_FORWARDS] = "failedforwards",
	[CLEAN_SUCCEEDED_PAYS] = "succeededpays", [CLEAN_FAILED_PAYS] = "failedpays",
	[CLEAN_PAID_INVOICES] = "paidinvoices", [CLEAN_EXPIRED_INVOICES] = "expiredinvoices",
};

/* The schema allows no other. */
static enum clean_subsystem named(const char *name)
{
	int i = 0;

	while (strcmp(names[i], name) != 0)
		ASSERT(++i < CLEAN_SUBSYSTEMS);
	return (enum clean_subsystem)i;
}

void method_autoclean_once(void *context, struct lampo_call *call, struct params *params)
{
	struct command command = { .kind = COMMAND_CLEAN };

	command.u.clean.subsystem = named(params_string(params, "subsystem"));
	command.u.clean.age_s = params_number(params, "age");
	if (command.u.clean.age_s == 0)
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'age' should be more than 0");
	else
		order(context, call, &command);
}

json_t *reply_clean(const struct reply *reply)
{
	json_t *o = json_new_object(), *all = json_new_object(), *one = json_new_object();

	json_add_u64(one, "cleaned", reply->u.clean.cleaned);
	json_add_u64(one, "uncleaned", reply->u.clean.left);
	json_add(all, names[reply->u.clean.subsystem], one);
	json_add(o, "autoclean", all);
	return o;
}

static json_t *status(const struct methods *m, struct params *params, struct refusal *refusal)
{
	const char *name = params_string_or_null(params, "subsystem");
	json_t *o = json_new_object(), *all = json_new_object();
	struct node_info info;

	(void)refusal;
	node_view_info(m->port.node, &info);
	for (int i = 0; i < CLEAN_SUBSYSTEMS; i++) {
		const uint64_t age_s = info.config->autoclean_age_s[i];
		json_t *one;

		if (name && strcmp(names[i], name) != 0)
			continue;
		one = json_new_object();
		json_add_bool(one, "enabled", age_s != 0);
		if (age_s)
			json_add_u64(one, "age", age_s);
		json_add_u64(one, "cleaned", node_view_cleaned(m->port.node, (enum clean_subsystem)i));
		json_add(all, names[i], one);
	}
	json_add(o, "autoclean", all);
	return o;
}

void method_autoclean_status(void *context, struct lampo_call *call, struct params *params)
{
	query_ask(context, call, params, status);
}
