/* decode: an invoice's fields. */
#include "api/method/inner.h"

#include <string.h>

#include "bitcoin/address.h"
#include "bitcoin/script.h"
#include "crypto/keys.h"
#include "invoice/invoice.h"

static json_t *route_json(const struct invoice_route *route)
{
	json_t *list = json_new_array(), *o;
	uint32_t i;

	for (i = 0; i < route->hop_count; i++) {
		const struct invoice_hop *h = &route->hops[i];

		o = json_new_object();
		json_add_hex(o, "pubkey", BYTES_OF(h->node.v));
		json_add_printf(o, "short_channel_id", "%ux%ux%u", scid_height(h->scid), scid_tx_index(h->scid),
				scid_output(h->scid));
		json_add_msat(o, "fee_base_msat", MSAT(h->fee_base_msat));
		json_add_u64(o, "fee_proportional_millionths", h->fee_proportional_millionths);
		json_add_u64(o, "cltv_expiry_delta", h->cltv_expiry_delta);
		json_append(list, o);
	}
	return list;
}

static void add_routes(json_t *o, const struct invoice *v)
{
	json_t *routes = json_new_array(), *hints = json_new_array(), *id;
	uint32_t i;

	for (i = 0; i < v->route_count; i++) {
		json_append(routes, route_json(&v->routes[i]));
		if (!v->routes[i].hop_count)
			continue;
		id = json_object_get(json_array_get(json_array_get(routes, i), 0), "pubkey");
		json_append(hints, json_incref(id));
	}
	json_add(o, "routes", routes);
	json_add(o, "hints", hints);
}

static const char *script_kind(struct bytes s)
{
	if (s.size == 25)
		return "P2PKH";
	if (s.size == 23)
		return "P2SH";
	if (s.size == 22)
		return "P2WPKH";
	return s.size == 34 && s.data[0] == 0 ? "P2WSH" : "P2TR";
}

static void add_fallbacks(json_t *o, const struct invoice *v)
{
	json_t *list = json_new_array(), *one;
	char address[ADDRESS_SIZE];
	uint32_t i;

	for (i = 0; i < v->fallback_count; i++) {
		if (!address_encode(address, v->network, v->fallbacks[i]))
			continue;
		one = json_new_object();
		json_add_string(one, "type", script_kind(v->fallbacks[i]));
		json_add_string(one, "addr", address);
		json_add_hex(one, "hex", v->fallbacks[i]);
		json_append(list, one);
	}
	json_add(o, "fallbacks", list);
}

/* Fields of unknown letters, as characters: what they mean is not ours to say. */
static void add_extra(json_t *o, const struct invoice *v)
{
	static const char letters[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	json_t *list = json_new_array(), *one;
	struct buf text = BUF_EMPTY;
	uint32_t i;
	size_t j;

	for (i = 0; i < v->unknown_count; i++) {
		const struct invoice_field *f = &v->unknown[i];

		buf_clear(&text);
		for (j = 0; j < f->data5.size; j++)
			buf_add_u8(&text, (uint8_t)letters[f->data5.data[j] & 31]);
		one = json_new_object();
		json_add_printf(one, "tag", "%c", f->letter);
		json_add_text(one, "data", buf_view(&text));
		json_append(list, one);
	}
	buf_release(&text);
	json_add(o, "extra", list);
}

static void add_description(json_t *o, const struct invoice *v)
{
	if (v->has_description)
		json_add_text(o, "description", v->description);
	else
		json_add_hex(o, "description_hash", BYTES_OF(v->description_hash.v));
}

static json_t *decoded_json(const struct invoice *v)
{
	uint8_t der[72];
	json_t *o = json_new_object();

	json_add_string(o, "type", "bolt11 invoice");
	json_add_bool(o, "valid", true);
	json_add_string(o, "currency", v->network->bolt11_prefix + 2);
	json_add_string(o, "network", v->network->name);
	json_add_u64(o, "created_at", v->timestamp_s);
	json_add_u64(o, "expiry", v->expiry_s);
	json_add_u64(o, "expiry_time", v->expiry_s > INT64_MAX / 1000 ? INT64_MAX : v->expiry_s * 1000);
	json_add_hex(o, "payee", BYTES_OF(v->payee.v));
	json_add_hex(o, "issuer_id", BYTES_OF(v->payee.v));
	if (v->has_amount)
		json_add_msat(o, "amount_msat", v->amount);
	add_description(o, v);
	json_add_u64(o, "min_final_cltv_expiry", v->min_final_cltv);
	json_add_hex(o, "payment_secret", BYTES_OF(v->payment_secret.v));
	if (v->has_metadata)
		json_add_hex(o, "payment_metadata", v->metadata);
	if (v->features.size)
		json_add_hex(o, "features", v->features);
	add_routes(o, v);
	if (v->fallback_count)
		add_fallbacks(o, v);
	if (v->unknown_count)
		add_extra(o, v);
	json_add_hex(o, "payment_hash", BYTES_OF(v->payment_hash.v));
	json_add_hex(o, "signature", BYTES(der, sig_to_der(der, &v->signature)));
	return o;
}

void method_decode(void *context, struct lampo_call *call, struct params *params)
{
	struct invoice v;
	const char *why;

	(void)context;
	/* Any network: to look at an invoice is not to pay it. */
	if (invoice_decode(&params->arena, &v, &why, NULL, bytes_from_string(params_string(params, "string"))))
		rpc_reply(call, decoded_json(&v));
	else
		rpc_fail(call, RPC_INVALID_PARAMS, NULL, "parameter 'string' is no BOLT 11 invoice: %s", why);
}
