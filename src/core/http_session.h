/* One HTTP connection from accept to close, as a pure state machine: what came
 * in and what time it is -> what to do next and until when.
 *
 * It owns the connection's input buffer and the reply under way.  It touches no
 * socket, file or clock; which file a request means is decided elsewhere,
 * between HTTP_WANT_ANSWER and http_session_answer (at once, or later).
 *
 * Requests are answered one after the other in their order; nothing is read
 * while one is being answered, so a client that pipelines without reading holds
 * its own queue, not ours.  RFC 9112 9.3 (persistence, pipelining), 9.6 (close).
 */
#pragma once

#include "core/http_reply.h"

#define HTTP_HEAD_DEADLINE_MS   10000 /* a whole head, from its first octet or the accept */
#define HTTP_IDLE_DEADLINE_MS   60000 /* between two requests */
#define HTTP_SEND_DEADLINE_MS   30000 /* without any octet taken by the client */
#define HTTP_LINGER_DEADLINE_MS 2000  /* for the client to read the last answer */
#define HTTP_NO_DEADLINE        UINT64_MAX

enum http_want {
	HTTP_WANT_RECV,   /* read into http_session_room */
	HTTP_WANT_ANSWER, /* answer req, or refuse it when drop is set */
	HTTP_WANT_SEND,   /* send http_session_output */
	HTTP_WANT_LINGER, /* shut down the sending side, read and forget */
	HTTP_WANT_CLOSE,
};

struct http_session {
	enum http_want want;
	uint64_t deadline_ms; /* then call http_session_tick */
	/* The request being answered; spans into `in`, valid until its reply is out. */
	struct http_request req;
	struct span path;  /* decoded, relative to the root */
	enum drop drop;    /* why the request is refused, or the connection ends */
	uint64_t answered; /* requests whose reply is out */
	struct http_reply reply;
	size_t head_sent;
	uint64_t sent; /* of reply.length */
	size_t head_n; /* octets of `in` that are the request's head, and its body */
	size_t in_n;
	uint8_t in[HTTP_HEAD_MAX];
	uint8_t path_buf[HTTP_PATH_MAX];
};

struct http_room {
	uint8_t *p;
	size_t n;
};

/* What is left to send, in this order.  When entity_n is not 0, that many octets of
 * the entity, from entity_at on, follow: where they are, the caller knows.  Otherwise
 * memory is all. */
struct http_output {
	struct span head, body;
	uint64_t entity_at, entity_n;
};

/* now_ms is any clock that only goes forward, the same for all calls. */
void http_session_init(struct http_session *s, uint64_t now_ms);
void http_session_free(struct http_session *s);

/* Where to read to under HTTP_WANT_RECV and _LINGER; never empty then. */
struct http_room http_session_room(struct http_session *s);

/* n octets came into the room; 0: the client has sent its last. */
void http_session_received(struct http_session *s, size_t n, uint64_t now_ms);

/* Under HTTP_WANT_ANSWER: the reply, which moves into the session. */
void http_session_answer(struct http_session *s, struct http_reply *reply, uint64_t now_ms);

struct http_output http_session_output(const struct http_session *s);

/* n octets of the output went out. Once all are, http_session_is_sent is true
 * and req still stands (for the log), until http_session_next. */
void http_session_sent(struct http_session *s, uint64_t n, uint64_t now_ms);
bool http_session_is_sent(const struct http_session *s);

/* Forgets the answered request; goes on to the next, or to the end. */
void http_session_next(struct http_session *s, uint64_t now_ms);

/* The deadline may have passed. */
void http_session_tick(struct http_session *s, uint64_t now_ms);

/* The connection may be closed for another client's sake: it is between two
 * requests, or only waits for the client to close. */
bool http_session_is_idle(const struct http_session *s);
