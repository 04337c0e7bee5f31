#include "runtime/chain/core_rpc.h"

#include <stdio.h>
#include <string.h>

#include "runtime/chain/http.h"

#define TIMEOUT_S 60
#define LOGIN_SIZE 1024
/* What is kept of the room that an answer took. */
#define ANSWER_KEPT (64u << 10)

struct core_rpc {
	struct core_config config; /* strings owned */
	struct http *http;
	struct buf request, answer;
	char login[LOGIN_SIZE]; /* user:password, the configured ones or the cookie file's; empty: none */
	bool away; /* the last call did not get through, or there was none */
};

static char *copy_string(const char *s)
{
	char *copy;

	if (!s)
		return NULL;
	copy = mem_alloc(strlen(s) + 1);
	strcpy(copy, s);
	return copy;
}

struct core_rpc *core_rpc_new(const struct core_config *config, char error[BACKEND_ERROR_SIZE])
{
	char why[HTTP_ERROR_SIZE];
	struct core_rpc *r = NEW(struct core_rpc);

	r->http = http_new(config->url, config->timeout_s ? config->timeout_s : TIMEOUT_S, why);
	if (!r->http) {
		snprintf(error, BACKEND_ERROR_SIZE, "%s", why);
		mem_free(r);
		return NULL;
	}
	r->config = *config;
	r->config.url = copy_string(config->url);
	r->config.user = copy_string(config->user);
	r->config.password = copy_string(config->password);
	r->config.cookie_path = copy_string(config->cookie_path);
	r->away = true;
	return r;
}

void core_rpc_free(struct core_rpc *r)
{
	http_free(r->http);
	buf_release(&r->request);
	buf_release(&r->answer);
	mem_free((void *)r->config.url);
	mem_free((void *)r->config.user);
	if (r->config.password)
		mem_wipe((void *)r->config.password, strlen(r->config.password));
	mem_free((void *)r->config.password);
	mem_free((void *)r->config.cookie_path);
	mem_wipe_free(r, sizeof(*r));
}

void core_rpc_interrupt(struct core_rpc *r)
{
	http_interrupt(r->http);
}

bool core_rpc_was_away(struct core_rpc *r)
{
	bool was = r->away;

	r->away = false;
	return was;
}

/* ---- Who we are ---- */

static bool read_cookie(struct core_rpc *r)
{
	FILE *f = fopen(r->config.cookie_path, "r");
	bool ok;

	if (!f)
		return false;
	ok = fgets(r->login, sizeof(r->login), f) && strchr(r->login, ':');
	fclose(f);
	r->login[strcspn(r->login, "\r\n")] = 0;
	return ok;
}

static bool authenticate(struct core_rpc *r, bool again, char *error)
{
	if (r->config.user) {
		int size = snprintf(r->login, sizeof(r->login), "%s:%s", r->config.user, r->config.password ? r->config.password : "");

		if (size < LOGIN_SIZE)
			return true;
		snprintf(error, BACKEND_ERROR_SIZE, "the user and the password for bitcoind are too long");
		return false;
	}
	if (!r->config.cookie_path)
		return true;
	if ((again || !*r->login) && !read_cookie(r)) {
		snprintf(error, BACKEND_ERROR_SIZE, "no cookie of bitcoind at %.400s: is it running?", r->config.cookie_path);
		*r->login = 0;
		return false;
	}
	return true;
}

/* ---- One exchange ---- */

static int add_text(const char *data, size_t size, void *context)
{
	buf_add(context, data, size);
	return 0;
}

static void write_request(struct core_rpc *r, const char *method, json_t *params)
{
	json_t *call = json_pack("{s:s, s:s, s:s, s:o}", "jsonrpc", "1.0", "id", "lampo", "method", method, "params",
				 params ? params : json_array());

	ASSERT(call);
	buf_clear(&r->request);
	ASSERT(!json_dump_callback(call, add_text, &r->request, JSON_COMPACT));
	json_decref(call);
}

static bool exchange(struct core_rpc *r, int *status, char *error)
{
	char why[HTTP_ERROR_SIZE];

	if (http_post(r->http, *r->login ? r->login : NULL, buf_view(&r->request), status, &r->answer, why))
		return true;
	snprintf(error, BACKEND_ERROR_SIZE, "bitcoind at %.200s: %s", r->config.url, why);
	return false;
}

static enum backend_result away(struct core_rpc *r)
{
	r->away = true;
	return BACKEND_AWAY;
}

/* HTTP's own trouble; bitcoind puts JSON-RPC errors into 500 and 404 too, and those are read as JSON. */
static bool is_http_trouble(const struct core_rpc *r, int status, char *error)
{
	if (status == 401 || status == 403) {
		snprintf(error, BACKEND_ERROR_SIZE, "bitcoind refuses our %s (HTTP %d)",
			 r->config.user ? "user and password" : "cookie", status);
		return true;
	}
	if (status == 503 || !r->answer.size) {
		snprintf(error, BACKEND_ERROR_SIZE, "bitcoind is too busy (HTTP %d)", status);
		return true;
	}
	return false;
}

static enum backend_result judge_error(struct core_rpc *r, const json_t *why, int *code, char *error)
{
	const char *message = json_string_value(json_object_get(why, "message"));

	*code = (int)json_integer_value(json_object_get(why, "code"));
	snprintf(error, BACKEND_ERROR_SIZE, "%.400s (bitcoind's code %d)", message ? message : "no reason given", *code);
	return *code == CORE_WARMING_UP ? away(r) : BACKEND_NO;
}

static enum backend_result read_answer(struct core_rpc *r, json_t **result, int *code, char *error)
{
	json_error_t fault;
	json_t *answer = json_loadb((const char *)r->answer.data, r->answer.size, JSON_DECODE_ANY, &fault), *value, *why;
	enum backend_result verdict;

	value = json_object_get(answer, "result");
	why = json_object_get(answer, "error");
	if (json_is_object(why)) {
		verdict = judge_error(r, why, code, error);
	} else if (value) {
		if (result)
			*result = json_incref(value);
		verdict = BACKEND_OK;
	} else {
		snprintf(error, BACKEND_ERROR_SIZE, "%.200s does not answer like bitcoind", r->config.url);
		verdict = away(r);
	}
	json_decref(answer);
	if (r->answer.capacity > ANSWER_KEPT) /* a block */
		buf_release(&r->answer);
	return verdict;
}

enum backend_result core_rpc_call(struct core_rpc *r, const char *method, json_t *params, json_t **result, int *code,
				  char *error)
{
	int status = 0;
	int unused;

	if (!code)
		code = &unused;
	*code = 0;
	write_request(r, method, params);
	if (!authenticate(r, false, error) || !exchange(r, &status, error))
		return away(r);
	if (status == 401 && !r->config.user && r->config.cookie_path) {
		/* It was restarted, and has another cookie. */
		if (!authenticate(r, true, error) || !exchange(r, &status, error))
			return away(r);
	}
	if (is_http_trouble(r, status, error))
		return away(r);
	return read_answer(r, result, code, error);
}
