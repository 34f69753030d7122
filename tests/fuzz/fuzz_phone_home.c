/* Fuzzes what installers say: a connection with requests, GET and POST, that end an
 * installation with its token, and queries of URLs by themselves.  Nothing but the token
 * itself ends it, and only once. */
#include "core/locate.h"
#include "core/machine_state.h"
#include "core/url_query.h"

#include "http_talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TOKEN "000102030405060708090a0b0c0d0e0f"

static struct machine_state machine;

static bool says(struct span query, const char *text)
{
	return memmem(query.p, query.n, text, strlen(text)) != NULL;
}

static struct span value_of(struct span query, const char *key, uint8_t *buf, size_t cap)
{
	struct span v = url_query_value(query, span_str(key), buf, cap);

	MUST(v.n <= cap && (v.n == 0 || v.p == buf));
	MUST(v.n == 0 || says(query, key));
	return v;
}

static bool phones_home(struct span query)
{
	uint8_t buf[MACHINE_TOKEN_TEXT_MAX];
	struct span token = value_of(query, "token", buf, sizeof(buf));
	enum machine_token_use use = machine_state_check_token(&machine, token);

	MUST((use != MACHINE_TOKEN_NONE) == span_eq(token, SPAN_LIT(TOKEN)));
	MUST(use == MACHINE_TOKEN_NONE || says(query, "%") || says(query, "token=" TOKEN));
	if (use == MACHINE_TOKEN_FRESH)
		MUST(machine_state_apply(&machine, MACHINE_PHONED_HOME, NULL, 1) &&
			machine.phase == MACHINE_INSTALLED);
	MUST(use == MACHINE_TOKEN_NONE ||
		!machine_state_apply(&machine, MACHINE_PHONED_HOME, NULL, 1));
	return use != MACHINE_TOKEN_NONE;
}

static bool is_phone_home(const struct http_session *s)
{
	static const struct config cfg;
	struct virtual_name name;

	locate_path(&cfg, s->path, &name);
	MUST(locate_takes_post(s->path) ==
		(name.kind == VIRTUAL_MACHINE_FILE &&
			span_eq(name.file, SPAN_LIT(MACHINE_PHONE_HOME))));
	MUST(s->req.method != HTTP_METHOD_POST || locate_takes_post(s->path));
	return locate_takes_post(s->path) && name.has_mac;
}

static void answer(struct http_session *s, uint64_t now_ms)
{
	struct http_entity e = { .content_type = "text/plain" };
	struct http_reply r;

	if (s->drop != DROP_NONE) {
		http_reply_refusal(&s->req, s->drop, (int64_t)now_ms, &r);
		MUST(r.status >= 400 && !r.keep_alive);
	} else {
		MUST(s->req.content_length == 0 || s->req.method == HTTP_METHOD_POST);
		MUST(s->req.content_length <= sizeof(s->in));
		if (is_phone_home(s) && phones_home(s->req.query))
			e.size = 10;
		http_reply_entity(&s->req, &e, (int64_t)now_ms, &r);
	}
	http_session_answer(s, &r, now_ms);
}

static void read_query(struct span query)
{
	static const char *const keys[] = { "token", "serial", "uuid", "a", "" };
	uint8_t buf[64], again[64];

	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		for (size_t cap = 0; cap <= sizeof(buf); cap += 31) {
			struct span v = value_of(query, keys[k], buf, cap);
			struct span whole = value_of(query, keys[k], again, sizeof(again));

			/* Less room cuts a value, and does nothing else to it. */
			MUST(v.n == (whole.n < cap ? whole.n : cap) && span_has_prefix(whole, v));
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	machine = (struct machine_state){ .phase = MACHINE_INSTALLING,
		.token_use = MACHINE_TOKEN_FRESH };
	for (size_t i = 0; i < sizeof(machine.token); i++)
		machine.token[i] = (uint8_t)i;
	read_query((struct span){ data, size });
	http_talk((struct span){ data, size }, answer);
	return 0;
}
