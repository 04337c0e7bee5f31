#include "runtime/chain/https.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* What is used of it.  Its ABI has been that of version 4 since 2006. */
struct curl {
	void *library;
	__typeof__(curl_easy_init) *init;
	__typeof__(curl_easy_cleanup) *cleanup;
	CURLcode (*set)(CURL *handle, CURLoption option, ...);
	CURLcode (*get)(CURL *handle, CURLINFO info, ...);
	__typeof__(curl_easy_perform) *perform;
	__typeof__(curl_easy_strerror) *words;
	__typeof__(curl_slist_append) *append;
	__typeof__(curl_slist_free_all) *free_list;
};

struct https {
	struct curl curl;
	CURL *handle;
	struct curl_slist *headers;
	struct buf *answer; /* of the call that is under way */
	const atomic_bool *stop;
	char words[CURL_ERROR_SIZE];
};

static size_t on_answer(char *data, size_t size, size_t count, void *context)
{
	struct https *h = context;

	if (h->answer->size + size * count > HTTP_ANSWER_MAX)
		return 0;
	buf_add(h->answer, data, size * count);
	return size * count;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct https *h = context;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(h->stop);
}

static bool find(void *library, const char *name, void *out)
{
	void *found = dlsym(library, name);

	/* ISO C has no conversion from an object pointer to a function's; POSIX has, and this is how it is written. */
	memcpy(out, &found, sizeof(found));
	return found;
}

static bool load(struct curl *c, char error[HTTP_ERROR_SIZE])
{
	c->library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	if (c->library && find(c->library, "curl_easy_init", &c->init) && find(c->library, "curl_easy_cleanup", &c->cleanup) &&
	    find(c->library, "curl_easy_setopt", &c->set) && find(c->library, "curl_easy_getinfo", &c->get) &&
	    find(c->library, "curl_easy_perform", &c->perform) && find(c->library, "curl_easy_strerror", &c->words) &&
	    find(c->library, "curl_slist_append", &c->append) && find(c->library, "curl_slist_free_all", &c->free_list))
		return true;
	snprintf(error, HTTP_ERROR_SIZE, "https needs libcurl: %.200s", dlerror());
	return false;
}

static void set_options(struct https *h, const char *url, uint32_t timeout_s)
{
	const struct curl *c = &h->curl;

	c->set(h->handle, CURLOPT_URL, url);
	c->set(h->handle, CURLOPT_PROTOCOLS_STR, "http,https");
	c->set(h->handle, CURLOPT_PROXY, ""); /* the environment's proxy is for others */
	c->set(h->handle, CURLOPT_HTTPHEADER, h->headers);
	c->set(h->handle, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
	c->set(h->handle, CURLOPT_NOSIGNAL, 1L);
	c->set(h->handle, CURLOPT_TCP_NODELAY, 1L);
	c->set(h->handle, CURLOPT_CONNECTTIMEOUT, (long)HTTP_CONNECT_TIMEOUT_S);
	c->set(h->handle, CURLOPT_TIMEOUT, (long)timeout_s);
	c->set(h->handle, CURLOPT_ERRORBUFFER, h->words);
	c->set(h->handle, CURLOPT_WRITEFUNCTION, on_answer);
	c->set(h->handle, CURLOPT_WRITEDATA, h);
	c->set(h->handle, CURLOPT_NOPROGRESS, 0L);
	c->set(h->handle, CURLOPT_XFERINFOFUNCTION, on_progress);
	c->set(h->handle, CURLOPT_XFERINFODATA, h);
}

struct https *https_new(const char *url, uint32_t timeout_s, const atomic_bool *stop, char error[HTTP_ERROR_SIZE])
{
	struct https *h = NEW(struct https);

	h->stop = stop;
	if (load(&h->curl, error)) {
		h->handle = h->curl.init();
		if (!h->handle)
			snprintf(error, HTTP_ERROR_SIZE, "libcurl cannot be initialised");
	}
	if (!h->handle) {
		https_free(h);
		return NULL;
	}
	h->headers = h->curl.append(NULL, "Content-Type: application/json");
	h->headers = h->curl.append(h->headers, "Expect:");
	set_options(h, url, timeout_s);
	return h;
}

void https_free(struct https *h)
{
	if (h->handle) {
		h->curl.cleanup(h->handle);
		h->curl.free_list(h->headers);
	}
	/* The library stays: what it has told others to call at the end must be there. */
	mem_free(h);
}

bool https_post(struct https *h, const char *login, struct bytes body, int *status, struct buf *answer, char error[HTTP_ERROR_SIZE])
{
	long said = 0;
	CURLcode code;

	buf_clear(answer);
	h->answer = answer;
	*h->words = 0;
	h->curl.set(h->handle, CURLOPT_USERPWD, login);
	h->curl.set(h->handle, CURLOPT_POSTFIELDS, (const char *)body.data);
	h->curl.set(h->handle, CURLOPT_POSTFIELDSIZE, (long)body.size);
	code = h->curl.perform(h->handle);
	if (code) {
		snprintf(error, HTTP_ERROR_SIZE, "%.200s", *h->words ? h->words : h->curl.words(code));
		return false;
	}
	h->curl.get(h->handle, CURLINFO_RESPONSE_CODE, &said);
	*status = (int)said;
	return true;
}
