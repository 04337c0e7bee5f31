/* Lampo: a Lightning node in your program.
 *
 *	struct lampo_config *config = lampo_config_new("regtest");
 *	struct lampo_node *node;
 *	char error[LAMPO_ERROR_SIZE];
 *
 *	lampo_config_directory(config, "/var/lib/mynode");
 *	lampo_config_words(config, "abandon ability ...");
 *	lampo_config_core(config, "http://127.0.0.1:18443", "user", "password");
 *	node = lampo_node_new(config, error);
 *	lampo_node_run(node);
 *
 * Everything that was made is opaque; structs that cross the border begin with
 * their size, so that a program and a library of different versions meet.
 * Names that begin with lampo_ and LAMPO_ are ours; nothing else is visible. */
#ifndef LAMPO_LAMPO_H
#define LAMPO_LAMPO_H

#include "lampo/backend.h"
#include "lampo/event.h"
#include "lampo/export.h"
#include "lampo/method.h"
#include "lampo/node.h"
#include "lampo/signer.h"
#include "lampo/store.h"
#include "lampo/types.h"
#include "lampo/wallet.h"

#endif
