/* Ways through the network, for the payments of this node: seen by the files of
 * this room only.
 *
 * The snapshot of the graph, the facts about liquidity, what is in flight, and the questions that a
 * worker thinks about (route/job.h).  A question is put with node_ways_ask and
 * answered in a later step; payments never wait for gossip, and gossip never for a payment.
 *
 * The snapshot is built again when gossip has changed the graph, a thousand
 * channels a step, and no oftener than WAYS_REST_MS and a fifth of a
 * millisecond for each channel: that is a few thousandths of one core.  Questions
 * are answered from the previous one meanwhile; but a question to which that has no answer is put once
 * more to a new one, which is built at once, before it is told so.  Without gossip the graph is
 * empty, and our own channels and hints are all there is.
 *
 * What payments taught is stored (RECORD_LIQUIDITY) with the batch in which it was learned. */
#ifndef NODE_WAYS_H
#define NODE_WAYS_H

#include "gossip/graph.h"
#include "payment/path.h"
#include "route/job.h"
#include "step/step.h"

/* Questions that a worker has at a time; whoever has more waits (node_ways_room). */
#define WAYS_QUESTIONS_MAX 256u
#define WAYS_REST_MS 100u
#define WAYS_SLICE 1000u
/* Changes of reservations that are kept for the next question; where there are more, it hears all that is reserved. */
#define WAYS_CHANGES_MAX 4096u

struct node;
struct node_channel;
struct node_peer;
struct send_question;

/* Borrowed while it is asked, but for what says otherwise. */
struct ways_question {
	uint64_t id;                  /* handed back with the answer */
	/* Called once, in a later step, unless the node ends before.  The plan lives until it returns.  By then what is
	 * wanted of a binding plan has been offered to its channels and reserved (node_ways_reserve), and the rest
	 * is not wanted: whoever asks next may have it. */
	void (*answer)(struct node *n, struct step *s, uint64_t id, const struct route_plan *plan);
	bool binding;                 /* it will be paid along the plan */
	bool from_graph;              /* from `source`, over what is public and in layers; else from us, over our channels as they are */
	struct pubkey source;
	struct pubkey payee;
	struct amount_msat amount, fee_limit, part_min;
	uint32_t final_cltv, cltv_max, parts_max, hops_max;
	const struct path_hint *hints; /* an invoice's: each leads to the payee */
	uint32_t hint_count;
	struct route_layer *exclusions; /* rules for this question alone; taken; NULL: none */
	const char *const *layers;    /* names; one that there is not says nothing */
	uint32_t layer_count;         /* below ROUTE_JOB_LAYERS_MAX */
	struct route_taste taste;     /* zeros: the usual */
	bool include_fees;            /* `amount` is what is sent; not binding */
	bool without_facts;           /* as if no payment had shown anything yet; what is in flight still counts */
};

/* How many questions may be asked now. */
uint32_t node_ways_room(const struct node *n);
/* What a payment alone must not use, for its questions.  Returns owned. */
struct route_layer *node_ways_limits(const uint8_t seed16[16], const struct send_question *q);
/* There must be room. */
void node_ways_ask(struct node *n, struct step *s, const struct ways_question *q);
/* The channel of ours behind the first hop of a part; NULL: it is gone. */
struct node_channel *node_ways_channel(const struct node *n, const struct route_leg *first);

/* What became of an HTLC of ours at a hop beyond our own channels, which are known without.
 *
 *   reserve    it is on its way: no other payment counts on what it takes
 *   release    it is over, one way or the other; before what it taught is told:
 *   could      the hop passed it on, though it failed later
 *   could_not  the hop's node said that it cannot carry so much now
 *   moved      it was fulfilled */
void node_ways_reserve(struct node *n, struct scid scid, int direction, struct amount_msat amount);
void node_ways_release(struct node *n, struct scid scid, int direction, struct amount_msat amount);
/* What is reserved there now. */
struct amount_msat node_ways_reserved(const struct node *n, struct scid scid, int direction);
void node_ways_could(struct node *n, const struct step *s, struct scid scid, int direction, struct amount_msat amount);
void node_ways_could_not(struct node *n, const struct step *s, struct scid scid, int direction, struct amount_msat amount);
void node_ways_moved(struct node *n, const struct step *s, struct scid scid, int direction, struct amount_msat amount);

/* ---- Layers by name (layers.c), and what users reserve ---- */

#define LAYERS_MAX 256u
#define LAYERS_RULES_MAX 100000u /* of all of them together */
#define LAYERS_NAME_MAX 100u
#define LAYERS_RESERVED_MAX 10000u

/* The rules of a layer as they were when they were held; whoever changes the layer leaves them alone. */
struct held_rules {
	struct route_layer *rules;
	uint32_t holders;
};

struct layers;

void node_layers_init(struct node *n, const uint8_t seed16[16]);
void node_layers_free(struct node *n);
/* NULL: there is none of that name. */
struct held_rules *node_layers_hold(struct node *n, const char *name);
void held_rules_let_go(struct held_rules *h);
MUST_USE bool node_layers_load(struct node *n, struct bytes key, struct bytes value);
void node_layers_check(const struct node *n);
/* layer_orders.c: COMMAND_LAYER. */
void node_layer_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd);
/* reserve.c: COMMAND_RESERVE. */
void node_reserve_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd);

/* ---- COMMAND_ROUTES (seek.c) ---- */

/* Questions of users are refused while a worker has more than these: payments come first. */
#define SEEK_QUESTIONS_MAX (WAYS_QUESTIONS_MAX / 2)

void node_seek_command(struct node *n, struct step *s, uint64_t call, const struct command *cmd);

/* ---- For node.c ---- */

struct ways_figures {
	uint32_t channels, nodes; /* of the snapshot */
	uint32_t facts, questions;
	size_t size;              /* of snapshot, planner and facts */
	uint64_t builds, plans;   /* in this run */
};

void node_ways_init(struct node *n);
void node_ways_free(struct node *n);
MUST_USE bool node_ways_load(struct node *n, struct bytes key, struct bytes value);
void node_ways_start(struct node *n, struct step *s);
void node_ways_computed(struct node *n, struct step *s, uint64_t id);
void node_ways_flush(struct node *n, struct step *s);
void node_ways_tick(struct node *n, struct step *s);
uint64_t node_ways_deadline(const struct node *n);
struct ways_figures node_ways_figures(const struct node *n);
void node_ways_check(const struct node *n);

#endif
