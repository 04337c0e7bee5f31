#include "wire/message.h"

static const struct {
	const struct codec *codecs;
	uint32_t count;
} tables[] = {
	{ bolt1_msg_codecs, ARRAY_COUNT(bolt1_msg_codecs) },
	{ bolt2_msg_codecs, ARRAY_COUNT(bolt2_msg_codecs) },
	{ bolt4_msg_codecs, ARRAY_COUNT(bolt4_msg_codecs) },
	{ bolt7_msg_codecs, ARRAY_COUNT(bolt7_msg_codecs) },
};

const struct codec *msg_codec_at(uint32_t index)
{
	for (size_t i = 0; i < ARRAY_COUNT(tables); i++) {
		if (index < tables[i].count)
			return &tables[i].codecs[index];
		index -= tables[i].count;
	}
	return NULL;
}

const struct codec *msg_codec(uint16_t type)
{
	const struct codec *c;

	for (uint32_t i = 0; (c = msg_codec_at(i)); i++)
		if (c->type == type)
			return c;
	return NULL;
}

const char *msg_name(uint16_t type)
{
	const struct codec *c = msg_codec(type);

	return c ? c->name : "unknown";
}

bool msg_type(struct bytes message, uint16_t *type)
{
	if (message.size < 2)
		return false;
	*type = load_be16(message.data);
	return true;
}

const struct codec *fail_codec(uint16_t code)
{
	for (size_t i = 0; i < ARRAY_COUNT(bolt4_fail_codecs); i++)
		if (bolt4_fail_codecs[i].type == code)
			return &bolt4_fail_codecs[i];
	return NULL;
}

const char *fail_name(uint16_t code)
{
	const struct codec *c = fail_codec(code);

	return c ? c->name : "unknown";
}
