/* All message types together. */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include "wire/bolt1.h"
#include "wire/bolt2.h"
#include "wire/bolt4.h"
#include "wire/bolt7.h"

/* The largest message, type included: BOLT 1 "Lightning Message Format". */
#define MESSAGE_SIZE_MAX 65535

/* NULL for a type that we have no decoder for. */
const struct codec *msg_codec(uint16_t type);
/* "unknown" for those. */
const char *msg_name(uint16_t type);
/* 0 .. : walks all codecs; NULL after the last. */
const struct codec *msg_codec_at(uint32_t index);
/* The type of a message; false if it is too short to have one. */
MUST_USE bool msg_type(struct bytes message, uint16_t *type);

/* BOLT 4 failure messages, by failure code; NULL and "unknown" as above. */
const struct codec *fail_codec(uint16_t code);
const char *fail_name(uint16_t code);

enum { FAIL_BADONION = 0x8000, FAIL_PERM = 0x4000, FAIL_NODE = 0x2000, FAIL_UPDATE = 0x1000 };

#endif
