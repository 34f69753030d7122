/* Certificates and keys become an OpenSSL context; see tls_context.h. */
#include "edge/tls_context.h"

#include "edge/files.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <unistd.h>

#define PEM_MAX         (256u << 10)
#define CHAIN_MAX       16u
#define CACHED_SESSIONS 4096
#define SESSION_LIFE_S  3600

/* AES-GCM first: what the machines that serve have instructions for.  DHE with
 * RSA last: EDK2 built without elliptic curves (OVMF of Debian 12) offers nothing
 * else with forward secrecy; ECDSA it cannot verify at all. */
#define CIPHERS_12                                                                                 \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                               \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                               \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                               \
	"DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* A pair while it is loaded. */
struct loading {
	const struct tls_pair *pair;
	size_t index;
	struct tls_report *report;
	X509 *certificate;
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
};

static void PRINTF(4, 5)
	complain(struct loading *l, bool of_key, bool warning, const char *fmt, ...)
{
	struct tls_problem *p;
	va_list ap;

	if (l->report->n == TLS_PROBLEMS_MAX)
		return;
	p = &l->report->list[l->report->n++];
	*p = (struct tls_problem){ .pair = l->index, .of_key = of_key, .warning = warning };
	va_start(ap, fmt);
	text_addv(&p->sentence, fmt, ap);
	va_end(ap);
}

static const char *why_unreadable(int r)
{
	switch (r) {
	case -ENOENT:
	case -ENOTDIR:
		return "does not exist: `bootsmith cert` makes one, or correct the path";
	case -EISDIR:
		return "is a directory: name the file in it";
	case -EPERM:
		return "is no regular file";
	case -EACCES:
		return "cannot be read: no permission; run as root, or make it readable";
	case -EFBIG:
		return "is larger than 256 KiB: this is no PEM file of certificates";
	default:
		return strerror(-r);
	}
}

/* The whole file as a BIO over *ret_text, or NULL after a complaint. */
static BIO *open_pem(struct loading *l, bool of_key, struct text *ret_text)
{
	const char *path = of_key ? l->pair->key : l->pair->certificate;
	struct stat st;
	BIO *bio;
	int fd, r = files_open_path(path, &fd, &st);

	if (r == 0) {
		r = files_read_all(fd, PEM_MAX, ret_text);
		(void)close(fd);
	}
	if (r < 0) {
		complain(l, of_key, false, "%s %s", path, why_unreadable(r));
		return NULL;
	}
	/* Group and others: RFC-less, but each TLS server's users are told so. */
	if (of_key && (st.st_mode & 077) != 0)
		complain(l, true, true, "%s can be read by others than its owner: chmod 600 %s",
			path, path);
	bio = BIO_new_mem_buf(ret_text->p ? ret_text->p : "", (int)ret_text->n);
	if (!bio)
		complain(l, of_key, false, "%s: out of memory", path);
	return bio;
}

/* OpenSSL would ask the terminal. */
static int no_password(char *buf, int size, int rwflag, void *ctx)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	*(bool *)ctx = true;
	return -1;
}

static void load_key(struct loading *l)
{
	struct text pem = { 0 };
	bool encrypted = false;
	BIO *bio = open_pem(l, true, &pem);

	if (bio)
		l->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted);
	if (bio && !l->key)
		complain(l, true, false,
			encrypted ? "%s is encrypted: give the key without a password (`openssl "
				    "pkey` removes it)"
				  : "%s holds no private key in PEM (-----BEGIN PRIVATE KEY-----)",
			l->pair->key);
	BIO_free(bio);
	if (pem.p)
		OPENSSL_cleanse(pem.p, pem.n);
	text_free(&pem);
}

static void load_certificate(struct loading *l)
{
	struct text pem = { 0 };
	BIO *bio = open_pem(l, false, &pem);
	X509 *next;

	if (!bio) {
		text_free(&pem);
		return;
	}
	l->certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	l->chain = sk_X509_new_null();
	if (!l->certificate)
		complain(l, false, false,
			"%s holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
			l->pair->certificate);
	while (l->certificate && l->chain && (unsigned)sk_X509_num(l->chain) < CHAIN_MAX &&
		(next = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		if (sk_X509_push(l->chain, next) <= 0)
			X509_free(next);
	BIO_free(bio);
	text_free(&pem);
}

/* Said, and served all the same: firmware (EDK2) does not look at the dates, and
 * a boot server must not stay down because a day has passed. */
static void check_dates(struct loading *l)
{
	const char *path = l->pair->certificate;

	if (X509_cmp_current_time(X509_get0_notAfter(l->certificate)) < 0)
		complain(l, false, true,
			"%s has expired: most clients refuse it; make a new one (`bootsmith cert`)",
			path);
	else if (X509_cmp_current_time(X509_get0_notBefore(l->certificate)) > 0)
		complain(l, false, true, "%s is not valid yet: is the clock of this machine right?",
			path);
}

static void check_pair(struct loading *l)
{
	int kind = EVP_PKEY_get_base_id(l->key);

	if (kind != EVP_PKEY_RSA && kind != EVP_PKEY_EC)
		complain(l, true, false, "%s is neither an RSA nor an ECDSA key", l->pair->key);
	else if (X509_check_private_key(l->certificate, l->key) != 1)
		complain(l, true, false,
			"%s is not the key of %s: name the key that this certificate was made for",
			l->pair->key, l->pair->certificate);
	check_dates(l);
}

static bool use_pair(struct loading *l, SSL_CTX *ctx)
{
	const char *reason;

	if (SSL_CTX_use_cert_and_key(ctx, l->certificate, l->key, l->chain, 1) == 1)
		return true;
	reason = ERR_reason_error_string(ERR_peek_last_error());
	complain(l, false, false, "%s cannot be used: %s", l->pair->certificate,
		reason ? reason : "OpenSSL refuses it");
	return false;
}

static bool load_pair(struct loading *l, SSL_CTX *ctx)
{
	size_t before = l->report->n, errors = 0;

	load_certificate(l);
	load_key(l);
	if (l->certificate && l->key)
		check_pair(l);
	for (size_t i = before; i < l->report->n; i++)
		errors += !l->report->list[i].warning;
	if (errors == 0 && !use_pair(l, ctx))
		errors++;
	X509_free(l->certificate);
	sk_X509_pop_free(l->chain, X509_free);
	EVP_PKEY_free(l->key);
	return errors == 0;
}

static SSL_CTX *bare_context(void)
{
	static const unsigned char name[] = "bootsmith";
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx)
		return NULL;
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_cipher_list(ctx, CIPHERS_12) != 1 ||
		SSL_CTX_set_ciphersuites(ctx, CIPHERS_13) != 1 ||
		SSL_CTX_set_dh_auto(ctx, 1) != 1 ||
		SSL_CTX_set_session_id_context(ctx, name, sizeof(name) - 1) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	/* An end without close_notify is no attack here: each answer has its length. */
	(void)SSL_CTX_set_options(ctx,
		SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
			SSL_OP_ENABLE_KTLS | SSL_OP_IGNORE_UNEXPECTED_EOF);
	(void)SSL_CTX_set_mode(ctx,
		SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
	(void)SSL_CTX_sess_set_cache_size(ctx, CACHED_SESSIONS);
	(void)SSL_CTX_set_timeout(ctx, SESSION_LIFE_S);
	(void)SSL_CTX_set_num_tickets(ctx, 1);
	return ctx;
}

int tls_context_new(const struct tls_pair *pairs, size_t n, struct tls_report *report,
	struct ssl_ctx_st **ret_context)
{
	SSL_CTX *ctx = bare_context();
	bool good = true;

	if (!ctx)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct loading l = { .pair = &pairs[i], .index = i, .report = report };

		good = load_pair(&l, ctx) && good;
	}
	ERR_clear_error();
	if (!good) {
		SSL_CTX_free(ctx);
		return -EINVAL;
	}
	*ret_context = ctx;
	return 0;
}

struct ssl_ctx_st *tls_context_ref(struct ssl_ctx_st *context)
{
	if (context)
		(void)SSL_CTX_up_ref(context);
	return context;
}

void tls_context_unref(struct ssl_ctx_st *context)
{
	SSL_CTX_free(context);
}

void tls_report_free(struct tls_report *report)
{
	for (size_t i = 0; i < report->n; i++)
		text_free(&report->list[i].sentence);
	report->n = 0;
}
