/* The TLS stream over a socketpair, with OpenSSL's client at the other end, and
 * the files that a context is made of. */
#include "edge/tls_context.h"
#include "edge/tls_make.h"
#include "edge/tls_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TURNS 10000

static char dir[] = "/tmp/bootsmith-tls.XXXXXX";
static char paths[8][64];
static const struct tls_pair rsa = { paths[0], paths[1] }, ecdsa = { paths[2], paths[3] };

static void write_file(const char *path, mode_t mode, const struct text *t)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text_str(t), t->n), (ssize_t)t->n);
	close(fd);
}

static void make_pair(
	const struct tls_authority *ca, enum tls_key_kind kind, const struct tls_pair *pair)
{
	const struct ip4 addr = { 0x7f000001 };
	const struct tls_names names = { .addrs = &addr, .n_addrs = 1 };
	struct text certificate = { 0 }, key = { 0 };

	assert_int_equal(tls_make_server(ca, kind, &names, 10, &certificate, &key), 0);
	write_file(pair->certificate, 0644, &certificate);
	write_file(pair->key, 0600, &key);
	text_free(&certificate);
	text_free(&key);
}

static int set_up(void **state)
{
	static const char *const names[] = { "rsa.pem", "rsa.key", "ec.pem", "ec.key", "ca.pem",
		"none", "bad", "big" };
	struct text certificate = { 0 }, key = { 0 };
	struct tls_authority *ca;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", dir, names[i]);
	assert_int_equal(tls_authority_new("test", 10, &ca), 0);
	make_pair(ca, TLS_KEY_RSA, &rsa);
	make_pair(ca, TLS_KEY_ECDSA, &ecdsa);
	tls_authority_print(ca, &certificate, &key);
	write_file(paths[4], 0644, &certificate);
	text_free(&certificate);
	text_free(&key);
	tls_authority_free(ca);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		(void)unlink(paths[i]);
	return rmdir(dir);
}

static struct ssl_ctx_st *context_of_both(void)
{
	const struct tls_pair pairs[] = { rsa, ecdsa };
	struct tls_report report = { 0 };
	struct ssl_ctx_st *ctx = NULL;

	assert_int_equal(tls_context_new(pairs, 2, &report, &ctx), 0);
	assert_int_equal(report.n, 0);
	return ctx;
}

/* --- both ends --- */

struct ends {
	struct stream server;
	SSL *client;
	int client_fd;
};

/* OpenSSL's macro takes the const away. */
static void set_signatures(SSL_CTX *ctx, const char *list)
{
	char copy[128];

	(void)snprintf(copy, sizeof(copy), "%s", list);
	assert_int_equal(SSL_CTX_set1_sigalgs_list(ctx, copy), 1);
}

static SSL_CTX *client_context(int version, const char *sigalgs)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	assert_non_null(ctx);
	assert_int_equal(SSL_CTX_load_verify_locations(ctx, paths[4], NULL), 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (version < TLS1_2_VERSION)
		SSL_CTX_set_security_level(ctx, 0);
	assert_int_equal(SSL_CTX_set_min_proto_version(ctx, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
	if (sigalgs)
		set_signatures(ctx, sigalgs);
	return ctx;
}

static void sockets(int fds[2])
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static void open_ends(struct ends *e, struct ssl_ctx_st *server, SSL_CTX *client)
{
	int fds[2];

	sockets(fds);
	assert_int_equal(tls_stream_init(&e->server, fds[0], server), 0);
	e->client = SSL_new(client);
	e->client_fd = fds[1];
	assert_int_equal(SSL_set_fd(e->client, fds[1]), 1);
	SSL_set_connect_state(e->client);
}

static void close_ends(struct ends *e)
{
	stream_close(&e->server);
	SSL_set_shutdown(e->client,
		SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* or its session is spoilt */
	SSL_free(e->client);
	close(e->client_fd);
	ERR_clear_error();
}

/* Until the client is done with its handshake and the server has its first
 * octets, or fails: what the server's receiving gave. */
static ssize_t talk(struct ends *e, char *request, size_t size)
{
	bool written = false;

	for (int i = 0; i < TURNS; i++) {
		ssize_t n = stream_recv(&e->server, request, size);

		if (n != -EAGAIN)
			return n;
		if (!written)
			written = SSL_write(e->client, "GET", 3) == 3;
		ERR_clear_error();
	}
	return -ETIMEDOUT;
}

static void handshakes_succeed(struct ends *e)
{
	char request[8] = "";

	assert_int_equal(talk(e, request, sizeof(request)), 3);
	assert_memory_equal(request, "GET", 3);
}

/* --- the tests --- */

static void speaks_both_versions_with_both_keys(void **state)
{
	static const struct {
		int version;
		const char *sigalgs;
		int key;
	} cases[] = {
		{ TLS1_2_VERSION, "RSA+SHA256:rsa_pss_rsae_sha256", EVP_PKEY_RSA },
		{ TLS1_2_VERSION, "ECDSA+SHA256", EVP_PKEY_EC },
		{ TLS1_2_VERSION, NULL, EVP_PKEY_EC },
		{ TLS1_3_VERSION, "rsa_pss_rsae_sha256:RSA+SHA256", EVP_PKEY_RSA },
		{ TLS1_3_VERSION, "ECDSA+SHA256:RSA+SHA256", EVP_PKEY_EC },
	};
	struct ssl_ctx_st *server = context_of_both();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		SSL_CTX *client = client_context(cases[i].version, NULL);
		struct ends e;

		if (cases[i].sigalgs && cases[i].key == EVP_PKEY_RSA)
			set_signatures(client, cases[i].sigalgs);
		else if (cases[i].key == EVP_PKEY_EC && cases[i].version == TLS1_2_VERSION)
			assert_int_equal(
				SSL_CTX_set_cipher_list(client, "ECDHE-ECDSA-AES128-GCM-SHA256"),
				1);
		open_ends(&e, server, client);
		handshakes_succeed(&e);
		assert_int_equal(SSL_version(e.client), cases[i].version);
		assert_int_equal(
			EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(e.client))),
			cases[i].key);
		assert_non_null(strstr(SSL_get_cipher_name(e.client), "AES_128_GCM")
				? SSL_get_cipher_name(e.client)
				: strstr(SSL_get_cipher_name(e.client), "AES128-GCM"));
		close_ends(&e);
		SSL_CTX_free(client);
	}
	tls_context_unref(server);
}

static void refuses_old_versions_and_weak_ciphers(void **state)
{
	static const struct {
		int version;
		const char *ciphers;
	} cases[] = {
		{ TLS1_VERSION, "ALL:@SECLEVEL=0" },
		{ TLS1_1_VERSION, "ALL:@SECLEVEL=0" },
		{ TLS1_2_VERSION, "AES128-GCM-SHA256" },       /* no forward secrecy */
		{ TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA256" }, /* CBC */
		{ TLS1_2_VERSION, "AES128-SHA:@SECLEVEL=0" },
	};
	struct ssl_ctx_st *server = context_of_both();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		SSL_CTX *client = client_context(cases[i].version, NULL);
		char request[8];
		struct ends e;

		assert_int_equal(SSL_CTX_set_cipher_list(client, cases[i].ciphers), 1);
		open_ends(&e, server, client);
		assert_int_equal(talk(&e, request, sizeof(request)), -ENOPROTOOPT);
		close_ends(&e);
		SSL_CTX_free(client);
	}
	tls_context_unref(server);
}

/* EDK2 without elliptic curves, as it says hello in OVMF of Debian 12. */
static void speaks_to_firmware_without_elliptic_curves(void **state)
{
	struct ssl_ctx_st *server = context_of_both();
	SSL_CTX *client = client_context(TLS1_2_VERSION, "RSA-PSS+SHA256:RSA+SHA256");
	struct ends e;

	(void)state;
	assert_int_equal(SSL_CTX_set_cipher_list(client,
				 "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:AES128-SHA"),
		1);
	open_ends(&e, server, client);
	handshakes_succeed(&e);
	assert_string_equal(SSL_get_cipher_name(e.client), "DHE-RSA-AES128-GCM-SHA256");
	close_ends(&e);
	SSL_CTX_free(client);
	tls_context_unref(server);
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION **kept = SSL_get_app_data(ssl);

	SSL_SESSION_free(*kept);
	*kept = session;
	return 1;
}

static void resume(int version, long options)
{
	struct ssl_ctx_st *server = context_of_both();
	SSL_CTX *client = client_context(version, NULL);
	SSL_SESSION *session = NULL;

	SSL_CTX_set_options(client, (uint64_t)options);
	SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(client, keep_session);
	for (int round = 0; round < 3; round++) {
		struct ends e;
		char c;

		open_ends(&e, server, client);
		SSL_set_app_data(e.client, &session);
		if (session)
			assert_int_equal(SSL_set_session(e.client, session), 1);
		handshakes_succeed(&e);
		assert_int_equal(SSL_session_reused(e.client), round > 0);
		/* A ticket of TLS 1.3 comes after the handshake. */
		assert_int_equal(SSL_read(e.client, &c, 1), -1);
		close_ends(&e);
		assert_non_null(session);
	}
	SSL_SESSION_free(session);
	SSL_CTX_free(client);
	tls_context_unref(server);
}

static void resumes_sessions(void **state)
{
	(void)state;
	resume(TLS1_3_VERSION, 0);
	resume(TLS1_2_VERSION, 0);
	resume(TLS1_2_VERSION, SSL_OP_NO_TICKET); /* from the cache */
}

/* A whole file from any offset, by a reader that takes little at a time. */
static void sends_files_to_the_octet(void **state)
{
	enum { SIZE = 1000003, OFFSET = 4097 };
	struct ssl_ctx_st *server = context_of_both();
	SSL_CTX *client = client_context(TLS1_3_VERSION, NULL);
	char *content = malloc(SIZE), *got = malloc(SIZE);
	size_t sent = 0, received = 0;
	unsigned blocked = 0;
	struct text t = { 0 };
	struct ends e;
	int fd;

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		content[i] = (char)(i * 2654435761u >> 13);
	text_add(&t, (struct span){ (uint8_t *)content, SIZE });
	write_file(paths[7], 0600, &t);
	text_free(&t);
	fd = open(paths[7], O_RDONLY);
	open_ends(&e, server, client);
	handshakes_succeed(&e);
	for (int i = 0; received < SIZE - OFFSET && i < TURNS; i++) {
		size_t left = SIZE - OFFSET - sent;
		ssize_t n = left ? stream_send_file(&e.server, fd, OFFSET + sent,
					   left < 262144 ? left : 262144)
				 : 0;
		int r;

		assert_true(n >= 0 || n == -EAGAIN);
		if (n > 0)
			sent += (size_t)n;
		if (n == -EAGAIN) {
			blocked++;
			assert_false(stream_waits_to_read(&e.server, false));
		}
		for (int k = 0; k < 3; k++) {
			r = SSL_read(e.client, got + received,
				(int)(SIZE - OFFSET - received < 5000 ? SIZE - OFFSET - received
								      : 5000));
			if (r <= 0)
				break;
			received += (size_t)r;
		}
		ERR_clear_error();
	}
	assert_int_equal(sent, SIZE - OFFSET);
	assert_int_equal(received, SIZE - OFFSET);
	assert_memory_equal(got, content + OFFSET, received);
	assert_true(blocked > 0);
	assert_int_equal(stream_send_file(&e.server, fd, SIZE, 100), 0); /* past its end */
	close(fd);
	close_ends(&e);
	free(content);
	free(got);
	SSL_CTX_free(client);
	tls_context_unref(server);
}

static void sends_head_and_body_in_one_record(void **state)
{
	struct ssl_ctx_st *server = context_of_both();
	SSL_CTX *client = client_context(TLS1_3_VERSION, NULL);
	static uint8_t body[40000];
	size_t sent = 0;
	char got[50000];
	struct ends e;

	(void)state;
	open_ends(&e, server, client);
	handshakes_succeed(&e);
	assert_int_equal(stream_send(&e.server, SPAN_LIT("head "), SPAN_LIT("body"), false), 9);
	assert_int_equal(SSL_read(e.client, got, sizeof(got)), 9);
	assert_memory_equal(got, "head body", 9);
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i % 251);
	while (sent < sizeof(body)) {
		ssize_t n = stream_send(&e.server, SPAN_NONE,
			(struct span){ body + sent, sizeof(body) - sent }, false);

		assert_true(n > 0);
		assert_int_equal(SSL_read(e.client, got, sizeof(got)), n);
		assert_memory_equal(got, body + sent, (size_t)n);
		sent += (size_t)n;
	}
	/* The end is said, and the client can still speak. */
	assert_int_equal(stream_shutdown(&e.server), 0);
	assert_int_equal(SSL_read(e.client, got, sizeof(got)), 0);
	assert_int_equal(SSL_get_error(e.client, 0), SSL_ERROR_ZERO_RETURN);
	assert_int_equal(SSL_write(e.client, "bye", 3), 3);
	assert_int_equal(stream_recv(&e.server, got, sizeof(got)), 3);
	(void)SSL_shutdown(e.client);
	assert_int_equal(stream_recv(&e.server, got, sizeof(got)), 0);
	close_ends(&e);
	SSL_CTX_free(client);
	tls_context_unref(server);
}

/* Octets of a record that are not fetched yet raise no event on the socket. */
static void says_that_octets_are_left(void **state)
{
	struct ssl_ctx_st *server = context_of_both();
	SSL_CTX *client = client_context(TLS1_2_VERSION, NULL);
	struct ends e;
	char c;

	(void)state;
	open_ends(&e, server, client);
	assert_int_equal(talk(&e, &c, 1), 1);
	assert_false(stream_waits_to_read(&e.server, true));
	assert_int_equal(stream_send(&e.server, SPAN_LIT("x"), SPAN_NONE, false), 1);
	assert_false(stream_waits_to_read(&e.server, true));
	assert_int_equal(stream_recv(&e.server, &c, 1), 1);
	assert_int_equal(stream_recv(&e.server, &c, 1), 1);
	assert_true(stream_waits_to_read(&e.server, true));
	assert_int_equal(stream_recv(&e.server, &c, 1), -EAGAIN);
	close_ends(&e);
	SSL_CTX_free(client);
	tls_context_unref(server);
}

static void refuses_garbage(void **state)
{
	static const struct {
		const char *octets;
		size_t n;
		ssize_t result;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 18, -ENOMSG },
		{ "\x16\x03\x01\x00\x05hello", 10, -EPROTO },
		{ "\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9, -EPROTO },
		{ "\x16\x03\x01\x40\x00", 5, -EAGAIN },
		{ "\x17\x03\x03\x00\x01\x00", 6, -EPROTO },
		{ "\x16\x03\x01", 3, -EAGAIN }, /* half a hello waits for the deadline */
		{ "", 0, -EAGAIN },
	};
	struct ssl_ctx_st *server = context_of_both();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stream s;
		char buf[64];
		int fds[2];

		sockets(fds);
		assert_int_equal(tls_stream_init(&s, fds[0], server), 0);
		assert_int_equal(write(fds[1], cases[i].octets, cases[i].n), (ssize_t)cases[i].n);
		assert_int_equal(stream_recv(&s, buf, sizeof(buf)), cases[i].result);
		if (cases[i].result == -EAGAIN)
			assert_true(stream_waits_to_read(&s, true));
		close(fds[1]);
		if (cases[i].result == -EAGAIN) /* the client goes away in the middle */
			assert_true(stream_recv(&s, buf, sizeof(buf)) <= 0);
		stream_close(&s);
	}
	tls_context_unref(server);
}

static void knows_a_client_that_does_not_trust_it(void **state)
{
	struct ssl_ctx_st *server = context_of_both();

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		SSL_CTX *client = SSL_CTX_new(TLS_client_method());
		char request[8];
		struct ends e;

		SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
		assert_int_equal(SSL_CTX_set_max_proto_version(client, version), 1);
		open_ends(&e, server, client);
		assert_int_equal(talk(&e, request, sizeof(request)), -EKEYREJECTED);
		close_ends(&e);
		SSL_CTX_free(client);
	}
	tls_context_unref(server);
}

static void refuses_renegotiation(void **state)
{
	struct ssl_ctx_st *server = context_of_both();
	SSL_CTX *client = client_context(TLS1_2_VERSION, NULL);
	ssize_t n = 0;
	struct ends e;
	char c[8];

	(void)state;
	open_ends(&e, server, client);
	handshakes_succeed(&e);
	assert_int_equal(SSL_renegotiate(e.client), 1);
	for (int i = 0; i < 10; i++) {
		(void)SSL_do_handshake(e.client);
		ERR_clear_error();
		n = stream_recv(&e.server, c, sizeof(c));
	}
	assert_true(n <= 0);
	assert_int_equal(SSL_num_renegotiations(e.server.state), 0);
	close_ends(&e);
	SSL_CTX_free(client);
	tls_context_unref(server);
}

/* A new context is for new connections; the old one lives with its own. */
static void a_connection_keeps_its_context(void **state)
{
	struct ssl_ctx_st *server = context_of_both();
	SSL_CTX *client = client_context(TLS1_3_VERSION, NULL);
	struct ends e;
	char got[8];

	(void)state;
	open_ends(&e, server, client);
	handshakes_succeed(&e);
	tls_context_unref(tls_context_ref(server));
	tls_context_unref(server);
	assert_int_equal(stream_send(&e.server, SPAN_LIT("still"), SPAN_NONE, false), 5);
	assert_int_equal(SSL_read(e.client, got, sizeof(got)), 5);
	close_ends(&e);
	SSL_CTX_free(client);
}

/* --- the files --- */

static void expect_problem(
	const struct tls_pair *pair, int result, bool of_key, bool warning, const char *part)
{
	struct tls_report report = { 0 };
	struct ssl_ctx_st *ctx = NULL;
	bool found = false;

	assert_int_equal(tls_context_new(pair, 1, &report, &ctx), result);
	for (size_t i = 0; i < report.n; i++)
		found = found ||
			(report.list[i].of_key == of_key && report.list[i].warning == warning &&
				strstr(text_str(&report.list[i].sentence), part));
	if (!found)
		print_error("no \"%s\" among %zu problems\n", part, report.n);
	assert_true(found);
	assert_true((result == 0) == (ctx != NULL));
	tls_report_free(&report);
	tls_context_unref(ctx);
}

static void write_encrypted_key(const char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *f = fopen(path, "w");

	assert_int_equal(
		PEM_write_PKCS8PrivateKey(f, key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
	EVP_PKEY_free(key);
}

static void names_what_is_wrong_with_files(void **state)
{
	struct text garbage = { 0 };

	(void)state;
	text_adds(&garbage, "no PEM\n");
	expect_problem(&(struct tls_pair){ paths[5], rsa.key }, -EINVAL, false, false,
		"/none does not exist");
	expect_problem(&(struct tls_pair){ rsa.certificate, paths[5] }, -EINVAL, true, false,
		"/none does not exist");
	expect_problem(&(struct tls_pair){ dir, rsa.key }, -EINVAL, false, false, "is a directory");
	expect_problem(&(struct tls_pair){ rsa.certificate, ecdsa.key }, -EINVAL, true, false,
		"is not the key of");
	expect_problem(&(struct tls_pair){ "/dev/null", rsa.key }, -EINVAL, false, false,
		"no regular file");
	write_file(paths[6], 0600, &garbage);
	expect_problem(&(struct tls_pair){ paths[6], rsa.key }, -EINVAL, false, false,
		"holds no certificate");
	expect_problem(&(struct tls_pair){ rsa.certificate, paths[6] }, -EINVAL, true, false,
		"holds no private key");
	expect_problem(&(struct tls_pair){ rsa.certificate, rsa.certificate }, -EINVAL, true, false,
		"holds no private key");
	write_encrypted_key(paths[6]);
	expect_problem(&(struct tls_pair){ rsa.certificate, paths[6] }, -EINVAL, true, false,
		"is encrypted");
	assert_int_equal(chmod(rsa.key, 0640), 0);
	expect_problem(&rsa, 0, true, true, "can be read by others");
	assert_int_equal(chmod(rsa.key, 0600), 0);
	text_free(&garbage);
}

static void warns_of_an_expired_certificate(void **state)
{
	const struct ip4 addr = { 0x7f000001 };
	const struct tls_names names = { .addrs = &addr, .n_addrs = 1 };
	struct text certificate = { 0 }, key = { 0 };
	struct tls_authority *ca;
	struct tls_pair pair = { paths[6], paths[7] };

	(void)state;
	assert_int_equal(tls_authority_new("test", 10, &ca), 0);
	assert_int_equal(tls_make_server(ca, TLS_KEY_ECDSA, &names, 0, &certificate, &key), 0);
	write_file(pair.certificate, 0600, &certificate);
	(void)unlink(pair.key);
	write_file(pair.key, 0600, &key);
	sleep(2);
	expect_problem(&pair, 0, false, true, "has expired");
	tls_authority_free(ca);
	text_free(&certificate);
	text_free(&key);
}

static void an_authority_is_read_again(void **state)
{
	struct text certificate = { 0 }, key = { 0 }, list = { 0 };
	struct tls_authority *ca, *again = NULL;

	(void)state;
	assert_int_equal(tls_authority_new("test", 10, &ca), 0);
	tls_authority_print(ca, &certificate, &key);
	tls_authority_print_efi_list(ca, &list);
	assert_false(list.failed);
	assert_int_equal(list.p[16] & 0xff, list.n & 0xff);
	assert_int_equal(tls_authority_parse(text_span(&certificate), text_span(&key), &again), 0);
	tls_authority_free(again);
	assert_int_equal(
		tls_authority_parse(text_span(&certificate), text_span(&certificate), &again),
		-EINVAL);
	assert_int_equal(tls_authority_parse(SPAN_NONE, SPAN_NONE, &again), -EINVAL);
	tls_authority_free(ca);
	text_free(&certificate);
	text_free(&key);
	text_free(&list);
}

static void a_certificate_needs_fit_names(void **state)
{
	static const char *const bad[] = { "", "a b", "x,DNS:y", "a\nb", "ä" };
	const char *good[] = { "boot.lab.example", "*.lab" };
	struct text certificate = { 0 }, key = { 0 };
	struct tls_authority *ca;

	(void)state;
	assert_int_equal(tls_authority_new("test", 10, &ca), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct tls_names names = { .names = &bad[i], .n_names = 1 };

		assert_int_equal(tls_make_server(ca, TLS_KEY_ECDSA, &names, 10, &certificate, &key),
			-EINVAL);
	}
	assert_int_equal(tls_make_server(ca, TLS_KEY_ECDSA, &(struct tls_names){ 0 }, 10,
				 &certificate, &key),
		-EINVAL);
	assert_int_equal(
		tls_make_server(ca, TLS_KEY_ECDSA,
			&(struct tls_names){ .names = good, .n_names = 2 }, 10, &certificate, &key),
		0);
	tls_authority_free(ca);
	text_free(&certificate);
	text_free(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(speaks_both_versions_with_both_keys),
		cmocka_unit_test(refuses_old_versions_and_weak_ciphers),
		cmocka_unit_test(speaks_to_firmware_without_elliptic_curves),
		cmocka_unit_test(resumes_sessions),
		cmocka_unit_test(sends_files_to_the_octet),
		cmocka_unit_test(sends_head_and_body_in_one_record),
		cmocka_unit_test(says_that_octets_are_left),
		cmocka_unit_test(refuses_garbage),
		cmocka_unit_test(knows_a_client_that_does_not_trust_it),
		cmocka_unit_test(refuses_renegotiation),
		cmocka_unit_test(a_connection_keeps_its_context),
		cmocka_unit_test(names_what_is_wrong_with_files),
		cmocka_unit_test(warns_of_an_expired_certificate),
		cmocka_unit_test(an_authority_is_read_again),
		cmocka_unit_test(a_certificate_needs_fit_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
