#include "api/rpc/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/rpc/listen.h"

#define READ_SIZE 65536
#define BACKLOG 128
#define CLOSE_MS 500

struct connection {
	uv_pipe_t pipe;
	uv_write_t write;
	struct rpc_socket *socket;
	struct rpc_client *client;
	struct buf out; /* being written */
	struct connection *next, **self;
	struct connection *dirty_next;
	bool dirty, reading, writing, closing;
};

struct rpc_socket {
	uv_pipe_t listener;
	uv_idle_t flush; /* active while some connection is dirty */
	uv_timer_t timer;
	struct rpc *rpc;
	struct listen_file file;
	struct connection *connections;
	struct connection *dirty;
	char *read_buffer;
	unsigned handles; /* not closed yet */
	bool closing;
	void (*closed)(void *context);
	void *closed_context;
};

static void socket_closed_one(uv_handle_t *handle)
{
	struct rpc_socket *s = handle->data;

	if (--s->handles > 0)
		return;
	if (s->closed)
		s->closed(s->closed_context);
	mem_free(s->read_buffer);
	mem_free(s);
}

/* The listener and the connections are gone: what is left closes too. */
static void socket_close_rest(struct rpc_socket *s)
{
	if (s->connections || uv_is_closing((uv_handle_t *)&s->timer))
		return;
	uv_close((uv_handle_t *)&s->flush, socket_closed_one);
	uv_close((uv_handle_t *)&s->timer, socket_closed_one);
}

static void connection_closed(uv_handle_t *handle)
{
	struct connection *c = handle->data;
	struct rpc_socket *s = c->socket;

	*c->self = c->next;
	if (c->next)
		c->next->self = c->self;
	buf_release(&c->out);
	mem_free(c);
	if (s->closing)
		socket_close_rest(s);
}

static void connection_close(struct connection *c)
{
	struct connection **at;

	if (c->closing)
		return;
	c->closing = true;
	for (at = &c->socket->dirty; c->dirty && *at; at = &(*at)->dirty_next)
		if (*at == c) {
			*at = c->dirty_next;
			break;
		}
	rpc_client_free(c->client);
	c->client = NULL;
	uv_close((uv_handle_t *)&c->pipe, connection_closed);
}

static void connection_update(struct connection *c);

static void on_written(uv_write_t *write, int status)
{
	struct connection *c = write->data;

	c->writing = false;
	if (c->closing)
		return;
	buf_clear(&c->out);
	if (status < 0) {
		connection_close(c);
		return;
	}
	rpc_client_sent(c->client);
	connection_update(c);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct connection *c = handle->data;

	(void)suggested;
	/* libuv reads at once after this call, so all connections can share one buffer. */
	*buf = uv_buf_init(c->socket->read_buffer, READ_SIZE);
}

/* The other end has closed, rather than only said that it will send no more. */
MUST_USE static bool hung_up(const struct connection *c)
{
	struct pollfd p = { .fd = -1, .events = 0 };

	return uv_fileno((const uv_handle_t *)&c->pipe, &p.fd) != 0 || poll(&p, 1, 0) < 0 ||
	       (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
	struct connection *c = stream->data;

	if (size > 0) {
		rpc_client_feed(c->client, BYTES(buf->base, (size_t)size));
	} else if (size < 0) {
		c->reading = false;
		uv_read_stop(stream);
		if (size != UV_EOF || hung_up(c)) {
			connection_close(c);
			return;
		}
		rpc_client_end_of_input(c->client);
	}
	connection_update(c);
}

static void update_reading(struct connection *c)
{
	const bool wanted = rpc_client_wants_input(c->client);

	if (wanted == c->reading)
		return;
	c->reading = wanted;
	if (!wanted)
		uv_read_stop((uv_stream_t *)&c->pipe);
	else if (uv_read_start((uv_stream_t *)&c->pipe, on_allocate, on_read) != 0)
		connection_close(c);
}

static void mark_dirty(void *context);

/* Writes what is ready, reads if there is room, closes when all is done. */
static void connection_update(struct connection *c)
{
	if (!c->writing && rpc_client_take_output(c->client, &c->out)) {
		const uv_buf_t buf = uv_buf_init((char *)c->out.data, (unsigned)c->out.size);

		c->writing = true;
		c->write.data = c;
		if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, on_written) != 0) {
			c->writing = false;
			connection_close(c);
			return;
		}
	}
	if (rpc_client_done(c->client))
		connection_close(c);
	else
		update_reading(c);
}

static void on_flush(uv_idle_t *flush)
{
	struct rpc_socket *s = flush->data;

	while (s->dirty) {
		struct connection *c = s->dirty;

		s->dirty = c->dirty_next;
		c->dirty = false;
		connection_update(c);
	}
	uv_idle_stop(flush);
}

/* Many answers may be given in one turn of the loop: they leave in one write.
 * The loop does not sleep while an idle handle is active. */
static void mark_dirty(void *context)
{
	struct connection *c = context;

	if (c->dirty || c->closing)
		return;
	c->dirty = true;
	c->dirty_next = c->socket->dirty;
	c->socket->dirty = c;
	uv_idle_start(&c->socket->flush, on_flush);
}

/* Clients that closed after a half-close are not noticed by reading. */
static void sweep(struct rpc_socket *s)
{
	struct connection *c, *next;

	for (c = s->connections; c; c = next) {
		next = c->next;
		if (!c->closing && hung_up(c))
			connection_close(c);
	}
}

static void refuse(struct connection *c)
{
	static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-1,"
				   "\"message\":\"too many clients: try again later\"}}\n\n";
	const uv_buf_t buf = uv_buf_init((char *)(uintptr_t)text, sizeof(text) - 1);

	(void)uv_try_write((uv_stream_t *)&c->pipe, &buf, 1);
	c->closing = true;
	uv_close((uv_handle_t *)&c->pipe, connection_closed);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct rpc_socket *s = listener->data;
	struct connection *c;

	if (status < 0 || s->closing)
		return;
	c = NEW(struct connection);
	c->socket = s;
	ASSERT(uv_pipe_init(listener->loop, &c->pipe, 0) == 0);
	c->pipe.data = c;
	c->next = s->connections;
	c->self = &s->connections;
	if (c->next)
		c->next->self = &c->next;
	s->connections = c;
	if (uv_accept(listener, (uv_stream_t *)&c->pipe) != 0) {
		c->closing = true;
		uv_close((uv_handle_t *)&c->pipe, connection_closed);
		return;
	}
	c->client = rpc_client_new(s->rpc, mark_dirty, c);
	if (!c->client) {
		sweep(s);
		c->client = rpc_client_new(s->rpc, mark_dirty, c);
	}
	if (c->client)
		connection_update(c);
	else
		refuse(c);
}

struct rpc_socket *rpc_socket_open(uv_loop_t *loop, struct rpc *rpc, const char *path, char why[RPC_WHY_SIZE])
{
	struct rpc_socket *s;
	struct listen_file file;
	int fd = listen_bind(&file, path, why), error;

	if (fd < 0)
		return NULL;
	s = NEW(struct rpc_socket);
	s->rpc = rpc;
	s->file = file;
	s->read_buffer = mem_alloc(READ_SIZE);
	ASSERT(uv_pipe_init(loop, &s->listener, 0) == 0);
	ASSERT(uv_idle_init(loop, &s->flush) == 0);
	ASSERT(uv_timer_init(loop, &s->timer) == 0);
	s->handles = 3;
	s->listener.data = s->flush.data = s->timer.data = s;
	error = uv_pipe_open(&s->listener, fd);
	if (error)
		close(fd);
	else
		error = uv_listen((uv_stream_t *)&s->listener, BACKLOG, on_connection);
	if (!error)
		return s;
	snprintf(why, RPC_WHY_SIZE, "cannot listen on %s: %s", path, uv_strerror(error));
	rpc_socket_close(s, NULL, NULL);
	return NULL;
}

static void on_close_timeout(uv_timer_t *timer)
{
	struct rpc_socket *s = timer->data;
	struct connection *c;

	for (c = s->connections; c; c = c->next)
		connection_close(c);
}

void rpc_socket_close(struct rpc_socket *s, void (*closed)(void *context), void *context)
{
	struct connection *c, *next;

	ASSERT(!s->closing);
	s->closing = true;
	s->closed = closed;
	s->closed_context = context;
	listen_remove(&s->file);
	uv_close((uv_handle_t *)&s->listener, socket_closed_one);
	for (c = s->connections; c; c = next) {
		next = c->next;
		if (c->closing)
			continue;
		rpc_client_shut_down(c->client);
		connection_update(c);
	}
	uv_timer_start(&s->timer, on_close_timeout, CLOSE_MS, 0);
	socket_close_rest(s);
}
