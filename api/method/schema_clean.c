/* Schemas: deleting what is old. */
#include "api/method/schemas.h"

#include "base/mem.h"

#define SUBSYSTEMS "succeededforwards failedforwards succeededpays failedpays paidinvoices expiredinvoices"
#define EACH(ITEM) \
	ITEM("succeededforwards", "Forwards that settled."), ITEM("failedforwards", "Forwards that failed."), \
	ITEM("succeededpays", "Payments that are complete.  An invoice whose payment is deleted could be paid again."), \
	ITEM("failedpays", "Payments that have failed."), ITEM("paidinvoices", "Invoices that are paid."), \
	ITEM("expiredinvoices", "Invoices that have expired.")

static const struct lampo_param once_params[] = {
	{ .name = "subsystem", .type = LAMPO_STRING, .choices = SUBSYSTEMS, .flags = LAMPO_REQUIRED, .doc = "What to delete." },
	{ .name = "age", .type = LAMPO_U64, .flags = LAMPO_REQUIRED, .doc = "How many seconds it must have been over." },
};
#define ONCE(name, doc) \
	{ "autoclean." name, LAMPO_OBJECT, LAMPO_OPTIONAL, doc }, \
	{ "autoclean." name ".cleaned", LAMPO_U64, 0, "So many were deleted." }, \
	{ "autoclean." name ".uncleaned", LAMPO_U64, 0, "So many were too new." }
static const struct lampo_result once_results[] = {
	{ "autoclean", LAMPO_OBJECT, 0, "What was done." },
	EACH(ONCE),
};
const struct lampo_method schema_autoclean_once = {
	.name = "autoclean-once",
	.category = "payments",
	.summary = "Delete what is old, now",
	.params = once_params,
	.param_count = ARRAY_COUNT(once_params),
	.results = once_results,
	.result_count = ARRAY_COUNT(once_results),
};

static const struct lampo_param status_params[] = {
	{ .name = "subsystem", .type = LAMPO_STRING, .choices = SUBSYSTEMS, .doc = "This alone." },
};
#define STATUS(name, doc) \
	{ "autoclean." name, LAMPO_OBJECT, LAMPO_OPTIONAL, doc }, \
	{ "autoclean." name ".enabled", LAMPO_BOOL, 0, "Whether they are deleted once they are old." }, \
	{ "autoclean." name ".age", LAMPO_U64, LAMPO_OPTIONAL, "After so many seconds." }, \
	{ "autoclean." name ".cleaned", LAMPO_U64, 0, "So many were deleted, ever." }
static const struct lampo_result status_results[] = {
	{ "autoclean", LAMPO_OBJECT, 0, "What is deleted by itself." },
	EACH(STATUS),
};
const struct lampo_method schema_autoclean_status = {
	.name = "autoclean-status",
	.category = "payments",
	.summary = "Show what is deleted once it is old",
	.params = status_params,
	.param_count = ARRAY_COUNT(status_params),
	.results = status_results,
	.result_count = ARRAY_COUNT(status_results),
};
