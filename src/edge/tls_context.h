/* The TLS side of HTTPS: what a server shows and accepts, made from certificate
 * and key files.
 *
 * TLS 1.2 and 1.3, (EC)DHE with AES-GCM or ChaCha20 only, no compression, no
 * renegotiation; sessions are resumed by tickets and from a cache that belong to
 * the context.  A context is never changed once made: new certificates make
 * another one, and connections keep the one that they began with.  It may be
 * used by any number of threads.
 */
#pragma once

#include "base/text.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX, counted */

#define TLS_PAIRS_MAX 4u

/* A certificate (with the chain after it) and its private key, both PEM. */
struct tls_pair {
	const char *certificate, *key;
};

struct tls_problem {
	size_t pair;          /* the index of the pair */
	bool of_key;          /* else of the certificate */
	bool warning;         /* it can be served all the same */
	struct text sentence; /* names the file, the reason, and what to do */
};

#define TLS_PROBLEMS_MAX (TLS_PAIRS_MAX * 4)

struct tls_report {
	struct tls_problem list[TLS_PROBLEMS_MAX];
	size_t n;
};

/* n is 1 to TLS_PAIRS_MAX.  Reads each file once; report gets all that is wrong,
 * and is freed by the caller.  -EINVAL when anything is that is no warning;
 * -ENOMEM.  The caller gives the context back by tls_context_unref(). */
int tls_context_new(const struct tls_pair *pairs, size_t n, struct tls_report *report,
	struct ssl_ctx_st **ret_context) WARN_UNUSED;

/* NULL is fine for both. */
struct ssl_ctx_st *tls_context_ref(struct ssl_ctx_st *context);
void tls_context_unref(struct ssl_ctx_st *context);

void tls_report_free(struct tls_report *report);
