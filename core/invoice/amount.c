#include "invoice/amount.h"

#include <string.h>

#define MSAT_PER_BITCOIN 100000000000ull

/* Msat in one unit of each multiplier; pico is a tenth of a millisatoshi. */
static const struct {
	char letter;
	uint64_t msat;
} multipliers[] = {
	{ 'm', MSAT_PER_BITCOIN / 1000 },
	{ 'u', MSAT_PER_BITCOIN / 1000000 },
	{ 'n', MSAT_PER_BITCOIN / 1000000000 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The network whose prefix is exactly the letters before the first digit: "lntbs" is not "lntb" with a rest. */
static const struct network *network_of(const char *hrp, size_t size, const struct network *expected)
{
	if (expected)
		return strlen(expected->bolt11_prefix) == size && memcmp(expected->bolt11_prefix, hrp, size) == 0 ?
			       expected : NULL;
	for (size_t i = 0; i < NETWORK_COUNT; i++)
		if (strlen(networks[i].bolt11_prefix) == size && memcmp(networks[i].bolt11_prefix, hrp, size) == 0)
			return &networks[i];
	return NULL;
}

/* Digits to a number below 10^19; false for more. */
static bool read_number(const char **at, uint64_t *out)
{
	uint64_t v = 0;

	for (; is_digit(**at); (*at)++) {
		if (v > 999999999999999999ull)
			return false;
		v = v * 10 + (uint64_t)(**at - '0');
	}
	*out = v;
	return true;
}

static bool multiply(uint64_t number, const char *multiplier, uint64_t *msat, const char **why)
{
	uint64_t each = 0;

	*why = "the amount's multiplier is unknown";
	if (multiplier[0] && multiplier[1])
		return false;
	if (*multiplier == 'p') {
		/* B11.human_readable_part.10 */
		*why = "the amount is not a whole number of millisatoshi";
		*msat = number / 10;
		return number % 10 == 0;
	}
	if (*multiplier == 0)
		each = MSAT_PER_BITCOIN;
	for (size_t i = 0; i < ARRAY_COUNT(multipliers); i++)
		if (*multiplier == multipliers[i].letter)
			each = multipliers[i].msat;
	if (!each)
		return false;
	*why = "the amount is more than there is";
	if (number > SUPPLY_SAT * 1000 / each)
		return false;
	*msat = number * each;
	return true;
}

bool invoice_hrp_decode(const struct network **n, bool *has_amount, struct amount_msat *amount, const char **why,
			const struct network *expected, const char *hrp)
{
	const char *at = hrp;
	uint64_t number;

	while (*at && !is_digit(*at))
		at++;
	*n = network_of(hrp, (size_t)(at - hrp), expected);
	*amount = MSAT(0);
	*has_amount = *at != 0;
	if (!*n) {
		*why = expected ? "not an invoice of this network" : "not an invoice of any network that is known";
		return false;
	}
	if (!*has_amount)
		return true;
	/* No writer makes these (B11.human_readable_part.3), and a zero would read as "no amount". */
	*why = "the amount begins with a zero";
	if (*at == '0')
		return false;
	*why = "the amount is more than there is";
	if (!read_number(&at, &number) || !multiply(number, at, &amount->v, why))
		return false;
	*why = "the amount is more than there is";
	return amount->v <= SUPPLY_SAT * 1000;
}

void invoice_hrp_encode(struct buf *out, const struct network *n, bool has_amount, struct amount_msat amount)
{
	buf_add_string(out, n->bolt11_prefix);
	if (!has_amount)
		return;
	ASSERT(amount.v > 0 && amount.v <= SUPPLY_SAT * 1000);
	/* B11.human_readable_part.5: the largest unit that leaves a whole number. */
	if (amount.v % MSAT_PER_BITCOIN == 0) {
		buf_printf(out, "%llu", (unsigned long long)(amount.v / MSAT_PER_BITCOIN));
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(multipliers); i++) {
		if (amount.v % multipliers[i].msat == 0) {
			buf_printf(out, "%llu%c", (unsigned long long)(amount.v / multipliers[i].msat),
				   multipliers[i].letter);
			return;
		}
	}
	/* B11.human_readable_part.4 */
	buf_printf(out, "%llu0p", (unsigned long long)amount.v);
}
