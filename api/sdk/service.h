/* A node with its methods: the daemon, the JSON-RPC dispatcher, the bundled
 * methods and, if there shall be one, the unix socket.
 *
 * lampod-cli and the SDK's struct lampo_node are both this. */
#ifndef API_SDK_SERVICE_H
#define API_SDK_SERVICE_H

#include "api/rpc/rpc.h"
#include "api/sdk/desk.h"
#include "runtime/daemon/daemon.h"

struct service;

struct service_config {
	/* context, reply and closing are filled in here. */
	struct daemon_config daemon;
	const char *socket_path; /* NULL: none */
	void *context;
	void (*notify)(void *context, const struct notify *notify); /* may be NULL */
	void (*hangup)(void *context);                              /* SIGHUP; may be NULL */
};

/* Returns owned; NULL: error says what is wrong and what to do. */
MUST_USE struct service *service_new(const struct service_config *config, char error[DAEMON_ERROR_SIZE]);
/* Until service_stop, the method `stop`, or a signal. */
void service_run(struct service *s);
void service_free(struct service *s);
void service_stop(struct service *s);

/* Calls a method from inside the process (api/sdk/desk.h). */
void service_call(struct service *s, const char *method, const char *params, desk_answer *answer, void *context);
struct rpc *service_rpc(struct service *s);
struct daemon *service_daemon(struct service *s);

#endif
