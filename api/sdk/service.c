#include "api/sdk/service.h"

#include <stdio.h>

#include "api/method/methods.h"
#include "api/rpc/socket.h"
#include "runtime/store/backup_file.h"

struct service {
	struct service_config config;
	struct daemon *daemon;
	struct rpc *rpc;
	struct methods *methods;
	struct rpc_socket *socket;
	struct desk *desk;
	struct node_address binding;
	char backup_path[4096];
};

/* ---- Between the methods and the node ---- */

static uint64_t now_ms(void *context)
{
	return daemon_now_ms(((struct service *)context)->daemon);
}

static void command(void *context, uint64_t call, const struct command *c)
{
	daemon_command(((struct service *)context)->daemon, call, c);
}

static void call_gone(void *context, uint64_t call)
{
	daemon_call_gone(((struct service *)context)->daemon, call);
}

static void query(void *context, const struct exec_query *q)
{
	daemon_query(((struct service *)context)->daemon, q);
}

static void read_backups(void *context, void (*each)(void *to, struct bytes sealed), void *to)
{
	backup_files_read(((struct service *)context)->config.daemon.directory, each, to);
}

static void read_records(void *context, uint64_t id, const struct record_range *ranges, uint32_t count)
{
	daemon_read(((struct service *)context)->daemon, id, ranges, count);
}

static void on_read(void *context, uint64_t id, const struct fetch *got)
{
	methods_read(((struct service *)context)->methods, id, got);
}

static void on_reply(void *context, uint64_t call, const struct reply *reply)
{
	methods_reply(((struct service *)context)->methods, call, reply);
}

static void on_notify(void *context, const struct notify *notify)
{
	struct service *s = context;

	if (s->config.notify)
		s->config.notify(s->config.context, notify);
}

static void on_hangup(void *context)
{
	struct service *s = context;

	if (s->config.hangup)
		s->config.hangup(s->config.context);
}

/* ---- Ending ---- */

static void on_socket_closed(void *context)
{
	daemon_closed(((struct service *)context)->daemon);
}

static void on_closing(void *context)
{
	struct service *s = context;
	struct rpc_socket *socket = s->socket;

	s->socket = NULL;
	if (socket)
		rpc_socket_close(socket, on_socket_closed, s);
	else
		daemon_closed(s->daemon);
}

static bool read_gossip(void *context, uint32_t ref, struct buf *out)
{
	return daemon_gossip_message(((struct service *)context)->daemon, ref, out);
}

/* ---- Beginning ---- */

static bool open_daemon(struct service *s, char error[DAEMON_ERROR_SIZE])
{
	struct daemon_config c = s->config.daemon;

	c.context = s;
	c.reply = on_reply;
	c.read = on_read;
	c.notify = on_notify;
	c.closing = on_closing;
	c.hangup = on_hangup;
	s->daemon = daemon_new(&c, error);
	return s->daemon != NULL;
}

static void open_methods(struct service *s)
{
	const struct daemon_config *c = &s->config.daemon;
	struct node_port port = {
		.context = s, .node = daemon_node(s->daemon), .wallet = daemon_wallet(s->daemon),
		.directory = c->directory ? c->directory : "",
		.read_backups = c->directory ? read_backups : NULL,
		.gossip_message = read_gossip,
		.now_ms = now_ms, .command = command, .call_gone = call_gone, .query = query,
		.read = read_records,
	};
	struct rpc_limits limits;

	/* A store of the embedder's keeps the backup as a record only. */
	if (c->directory && !c->store) {
		snprintf(s->backup_path, sizeof(s->backup_path), "%s/" BACKUP_FILE_NAME, c->directory);
		port.backup_file = s->backup_path;
	}
	rpc_limits_default(&limits);
	s->rpc = rpc_new(&limits);
	if (daemon_port(s->daemon)) {
		s->binding.host = c->bind_address ? c->bind_address : "0.0.0.0";
		s->binding.port = daemon_port(s->daemon);
		port.bindings = &s->binding;
		port.binding_count = 1;
	}
	s->methods = methods_new(s->rpc, &port);
	s->desk = desk_new(s->rpc, daemon_loop(s->daemon));
}

static bool open_socket(struct service *s, char error[DAEMON_ERROR_SIZE])
{
	char why[RPC_WHY_SIZE];

	if (!s->config.socket_path)
		return true;
	s->socket = rpc_socket_open(loop_uv(daemon_loop(s->daemon)), s->rpc, s->config.socket_path, why);
	if (!s->socket)
		snprintf(error, DAEMON_ERROR_SIZE, "%s", why);
	return s->socket != NULL;
}

struct service *service_new(const struct service_config *config, char error[DAEMON_ERROR_SIZE])
{
	struct service *s = NEW(struct service);

	s->config = *config;
	if (!open_daemon(s, error)) {
		mem_free(s);
		return NULL;
	}
	open_methods(s);
	if (!open_socket(s, error)) {
		service_free(s);
		return NULL;
	}
	return s;
}

void service_run(struct service *s)
{
	daemon_run(s->daemon);
}

/* Clients tell the executor that they are gone; its queries point into the methods. */
void service_free(struct service *s)
{
	desk_free(s->desk);
	daemon_free(s->daemon);
	methods_free(s->methods);
	rpc_free(s->rpc);
	mem_free(s);
}

void service_stop(struct service *s)
{
	daemon_stop(s->daemon);
}

void service_call(struct service *s, const char *method, const char *params, desk_answer *answer, void *context)
{
	desk_call(s->desk, method, params, answer, context);
}

struct rpc *service_rpc(struct service *s)
{
	return s->rpc;
}

struct daemon *service_daemon(struct service *s)
{
	return s->daemon;
}
