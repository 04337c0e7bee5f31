#include "runtime/chain/core_rpc.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_S 60
#define CONNECT_TIMEOUT_S 5
/* A block of four million weight units in hex, and room around it. */
#define ANSWER_MAX (20u << 20)

struct core_rpc {
	struct core_config config; /* strings owned */
	CURL *curl;
	struct curl_slist *headers;
	struct buf request, answer;
	char cookie[256]; /* user:password from the cookie file */
	char curl_error[CURL_ERROR_SIZE];
	bool away; /* the last call did not get through, or there was none */
	atomic_bool stop;
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

static size_t on_answer(char *data, size_t size, size_t count, void *context)
{
	struct core_rpc *r = context;

	if (r->answer.size + size * count > ANSWER_MAX)
		return 0;
	buf_add(&r->answer, data, size * count);
	return size * count;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct core_rpc *r = context;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(&r->stop);
}

static void set_options(struct core_rpc *r)
{
	CURL *h = r->curl;

	curl_easy_setopt(h, CURLOPT_URL, r->config.url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_PROXY, ""); /* the environment's proxy is for others */
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, r->headers);
	curl_easy_setopt(h, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl_easy_setopt(h, CURLOPT_TIMEOUT, (long)(r->config.timeout_s ? r->config.timeout_s : TIMEOUT_S));
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, r->curl_error);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, r);
}

struct core_rpc *core_rpc_new(const struct core_config *config)
{
	struct core_rpc *r;
	CURL *curl;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return NULL;
	curl = curl_easy_init();
	if (!curl)
		return NULL;
	r = NEW(struct core_rpc);
	r->curl = curl;
	r->config = *config;
	r->config.url = copy_string(config->url);
	r->config.user = copy_string(config->user);
	r->config.password = copy_string(config->password);
	r->config.cookie_path = copy_string(config->cookie_path);
	r->headers = curl_slist_append(NULL, "Content-Type: application/json");
	r->headers = curl_slist_append(r->headers, "Expect:");
	r->away = true;
	atomic_init(&r->stop, false);
	set_options(r);
	return r;
}

void core_rpc_free(struct core_rpc *r)
{
	curl_easy_cleanup(r->curl);
	curl_slist_free_all(r->headers);
	curl_global_cleanup();
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
	atomic_store(&r->stop, true);
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
	ok = fgets(r->cookie, sizeof(r->cookie), f) && strchr(r->cookie, ':');
	fclose(f);
	r->cookie[strcspn(r->cookie, "\r\n")] = 0;
	return ok;
}

static bool authenticate(struct core_rpc *r, bool again, char *error)
{
	if (r->config.user) {
		curl_easy_setopt(r->curl, CURLOPT_USERNAME, r->config.user);
		curl_easy_setopt(r->curl, CURLOPT_PASSWORD, r->config.password ? r->config.password : "");
		return true;
	}
	if (!r->config.cookie_path)
		return true;
	if ((again || !*r->cookie) && !read_cookie(r)) {
		snprintf(error, BACKEND_ERROR_SIZE, "no cookie of bitcoind at %.400s: is it running?", r->config.cookie_path);
		*r->cookie = 0;
		return false;
	}
	curl_easy_setopt(r->curl, CURLOPT_USERPWD, r->cookie);
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

static bool exchange(struct core_rpc *r, long *status, char *error)
{
	CURLcode code;

	buf_clear(&r->answer);
	*r->curl_error = 0;
	curl_easy_setopt(r->curl, CURLOPT_POSTFIELDS, (const char *)r->request.data);
	curl_easy_setopt(r->curl, CURLOPT_POSTFIELDSIZE, (long)r->request.size);
	code = curl_easy_perform(r->curl);
	if (code) {
		snprintf(error, BACKEND_ERROR_SIZE, "bitcoind at %.200s: %s", r->config.url,
			 *r->curl_error ? r->curl_error : curl_easy_strerror(code));
		return false;
	}
	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, status);
	return true;
}

static enum backend_result away(struct core_rpc *r)
{
	r->away = true;
	return BACKEND_AWAY;
}

/* HTTP's own trouble; bitcoind puts JSON-RPC errors into 500 and 404 too, and those are read as JSON. */
static bool is_http_trouble(const struct core_rpc *r, long status, char *error)
{
	if (status == 401 || status == 403) {
		snprintf(error, BACKEND_ERROR_SIZE, "bitcoind refuses our %s (HTTP %ld)",
			 r->config.user ? "user and password" : "cookie", status);
		return true;
	}
	if (status == 503 || !r->answer.size) {
		snprintf(error, BACKEND_ERROR_SIZE, "bitcoind is too busy (HTTP %ld)", status);
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
	return verdict;
}

enum backend_result core_rpc_call(struct core_rpc *r, const char *method, json_t *params, json_t **result, int *code,
				  char *error)
{
	long status = 0;
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
