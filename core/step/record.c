#include "step/record.h"

bool record_is_past(enum record_kind kind)
{
	return kind == RECORD_HTLC_PAST || kind == RECORD_FORWARD || kind == RECORD_INVOICE_PAST || kind == RECORD_INVOICE_INDEX ||
	       kind == RECORD_PAYMENT_PAST || kind == RECORD_PAYMENT_INDEX || kind == RECORD_CLOSED_PAST ||
	       kind == RECORD_CLOSED_INDEX || kind == RECORD_FORWARD_INDEX;
}
