#include "api/rpc/value_read.h"

#include <string.h>

#define SUPPLY_MSAT (SUPPLY_SAT * 1000)

bool read_decimal(uint64_t *out, const char *text, size_t size, unsigned decimals, uint64_t max)
{
	uint64_t v = 0;
	unsigned after_point = 0, digits = 0;
	bool point = false;
	size_t i;

	for (i = 0; i < size; i++) {
		if (text[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (text[i] < '0' || text[i] > '9' || (point && after_point == decimals))
			return false;
		if (v > (max - (uint64_t)(text[i] - '0')) / 10)
			return false;
		v = v * 10 + (uint64_t)(text[i] - '0');
		after_point += point;
		digits++;
	}
	for (; after_point < decimals; after_point++) {
		if (v > max / 10)
			return false;
		v *= 10;
	}
	*out = v;
	/* "1." and "." are typing mistakes, and money deserves a question. */
	return digits > 0 && text[size - 1] != '.';
}

bool read_number(uint64_t *out, const char *text, uint64_t max)
{
	return read_decimal(out, text, strlen(text), 0, max);
}

bool read_integer(int64_t *out, const char *text)
{
	const bool negative = *text == '-';
	uint64_t v;

	if (!read_number(&v, text + negative, INT64_MAX))
		return false;
	*out = negative ? -(int64_t)v : (int64_t)v;
	return true;
}

static bool ends_with(const char *text, const char *end, size_t *before)
{
	const size_t size = strlen(text), end_size = strlen(end);

	if (size < end_size || strcmp(text + size - end_size, end) != 0)
		return false;
	*before = size - end_size;
	return true;
}

bool read_amount(struct amount_msat *out, const char *text, uint64_t unit_msat)
{
	size_t size;
	unsigned decimals;

	if (ends_with(text, "msat", &size))
		decimals = 0;
	else if (ends_with(text, "sat", &size))
		decimals = 3;
	else if (ends_with(text, "btc", &size))
		decimals = 11;
	else if (!read_number(&out->v, text, SUPPLY_MSAT / unit_msat))
		return false;
	else {
		out->v *= unit_msat;
		return true;
	}
	return read_decimal(&out->v, text, size, decimals, SUPPLY_MSAT);
}

static const struct {
	const char *name;
	enum fee_target target;
} styles[] = {
	{ "slow", FEE_SLOW },		     { "normal", FEE_NORMAL },	   { "urgent", FEE_URGENT },
	{ "minimum", FEE_MINIMUM },	     { "opening", FEE_NORMAL },	   { "mutual_close", FEE_NORMAL },
	{ "unilateral_close", FEE_URGENT },  { "delayed_to_us", FEE_SLOW }, { "penalty", FEE_URGENT },
	{ "htlc_resolution", FEE_URGENT },
};

/* Confirmation wishes become the estimate that is nearest and not slower. */
static enum fee_target target_of_blocks(uint64_t blocks)
{
	return blocks <= 3 ? FEE_URGENT : blocks <= 20 ? FEE_NORMAL : FEE_SLOW;
}

static bool feerate_of_kw(struct feerate_choice *out, uint64_t per_kw)
{
	/* 1 sat/vB is 250 per kw; relaying rounds weights up, so the floor is 253. */
	if (per_kw >= 250 && per_kw < FEERATE_FLOOR_PER_KW)
		per_kw = FEERATE_FLOOR_PER_KW;
	out->rate = FEERATE((uint32_t)per_kw);
	return per_kw >= FEERATE_FLOOR_PER_KW;
}

bool read_feerate(struct feerate_choice *out, const char *text)
{
	uint64_t v;
	size_t size, i;

	*out = (struct feerate_choice){ .estimated = true };
	for (i = 0; i < ARRAY_COUNT(styles); i++)
		if (strcmp(text, styles[i].name) == 0) {
			out->target = styles[i].target;
			return true;
		}
	if (ends_with(text, "blocks", &size)) {
		out->target = FEE_NORMAL;
		if (!read_decimal(&v, text, size, 0, 1008))
			return false;
		out->target = target_of_blocks(v);
		return true;
	}
	out->estimated = false;
	if (ends_with(text, "perkw", &size))
		return read_decimal(&v, text, size, 0, UINT32_MAX) && feerate_of_kw(out, v);
	if (!ends_with(text, "perkb", &size))
		size = strlen(text);
	return read_decimal(&v, text, size, 0, UINT32_MAX) && feerate_of_kw(out, (v + 3) / 4);
}

bool read_percent(uint32_t *ppm, const char *text)
{
	const char *point = strchr(text, '.');
	size_t size = strlen(text);
	uint64_t v;

	/* A hundredth of a hundredth of a percent is a millionth: finer digits say nothing. */
	if (point && size > (size_t)(point - text) + 5) {
		if (strspn(point + 1, "0123456789") != strlen(point + 1))
			return false;
		size = (size_t)(point - text) + 5;
	}
	if (!read_decimal(&v, text, size, 4, 1000000))
		return false;
	*ppm = (uint32_t)v;
	return true;
}
