/* Makes certificates with OpenSSL; see tls_make.h. */
#include "edge/tls_make.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct tls_authority {
	X509 *certificate;
	EVP_PKEY *key;
};

static EVP_PKEY *new_key(enum tls_key_kind kind)
{
	return kind == TLS_KEY_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
}

/* RFC 5280 4.1.2.2: positive, not guessable, at most 20 octets. */
static bool set_serial(X509 *x)
{
	uint8_t octets[16];
	BIGNUM *n;
	bool good;

	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return false;
	octets[0] = (uint8_t)((octets[0] & 0x7f) | 0x40);
	n = BN_bin2bn(octets, sizeof(octets), NULL);
	good = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
	BN_free(n);
	return good;
}

static bool set_basics(X509 *x, EVP_PKEY *key, const char *name, unsigned days)
{
	X509_NAME *subject = X509_get_subject_name(x);

	return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
		ASN1_TIME_set_string(X509_getm_notBefore(x), "20000101000000Z") == 1 &&
		X509_time_adj_ex(X509_getm_notAfter(x), (int)days, 0, NULL) != NULL &&
		X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
			(const unsigned char *)"bootsmith lab", -1, -1, 0) == 1 &&
		X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
			(const unsigned char *)name, -1, -1, 0) == 1 &&
		X509_set_pubkey(x, key) == 1;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;
	bool good;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	good = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return good;
}

/* By values, not by a text: a name is no place for OpenSSL's syntax. */
static bool add_one_name(GENERAL_NAMES *list, int type, const void *p, size_t n)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *s = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();

	if (!name || !s || ASN1_STRING_set(s, p, (int)n) != 1 ||
		sk_GENERAL_NAME_push(list, name) <= 0) {
		ASN1_STRING_free(s);
		GENERAL_NAME_free(name);
		return false;
	}
	GENERAL_NAME_set0_value(name, type, s);
	return true;
}

static bool add_names(X509 *x, const struct tls_names *names)
{
	GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
	bool good = list != NULL;

	for (size_t i = 0; good && i < names->n_addrs; i++) {
		uint32_t a = names->addrs[i].v;
		uint8_t octets[4] = { (uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8),
			(uint8_t)a };

		good = add_one_name(list, GEN_IPADD, octets, sizeof(octets));
	}
	for (size_t i = 0; good && i < names->n_names; i++)
		good = add_one_name(list, GEN_DNS, names->names[i], strlen(names->names[i]));
	good = good && X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, X509V3_ADD_APPEND) == 1;
	GENERAL_NAMES_free(list);
	return good;
}

int tls_authority_new(const char *name, unsigned days, struct tls_authority **ret)
{
	struct tls_authority *ca = calloc(1, sizeof(*ca));
	X509 *x;

	if (!ca)
		return -ENOMEM;
	ca->key = new_key(TLS_KEY_RSA);
	ca->certificate = x = X509_new();
	if (!ca->key || !x || !set_basics(x, ca->key, name, days) ||
		X509_set_issuer_name(x, X509_get_subject_name(x)) != 1 ||
		!add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
		!add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") ||
		!add_extension(x, x, NID_subject_key_identifier, "hash") ||
		X509_sign(x, ca->key, EVP_sha256()) == 0) {
		tls_authority_free(ca);
		ERR_clear_error();
		return -EIO;
	}
	*ret = ca;
	return 0;
}

static int no_password(char *buf, int size, int rwflag, void *ctx)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)ctx;
	return -1;
}

int tls_authority_parse(struct span certificate, struct span key, struct tls_authority **ret)
{
	struct tls_authority *ca = calloc(1, sizeof(*ca));
	BIO *c = BIO_new_mem_buf(
		certificate.p ? (const void *)certificate.p : "", (int)certificate.n);
	BIO *k = BIO_new_mem_buf(key.p ? (const void *)key.p : "", (int)key.n);
	int r = ca && c && k ? 0 : -ENOMEM;

	if (r == 0) {
		ca->certificate = PEM_read_bio_X509(c, NULL, NULL, NULL);
		ca->key = PEM_read_bio_PrivateKey(k, NULL, no_password, NULL);
		if (!ca->certificate || !ca->key || X509_check_ca(ca->certificate) != 1 ||
			X509_check_private_key(ca->certificate, ca->key) != 1)
			r = -EINVAL;
	}
	BIO_free(c);
	BIO_free(k);
	ERR_clear_error();
	if (r < 0) {
		tls_authority_free(ca);
		return r;
	}
	*ret = ca;
	return 0;
}

void tls_authority_free(struct tls_authority *ca)
{
	if (!ca)
		return;
	X509_free(ca->certificate);
	EVP_PKEY_free(ca->key);
	free(ca);
}

static void print_bio(BIO *bio, bool good, struct text *out)
{
	char *p = NULL;
	long n = good && bio ? BIO_get_mem_data(bio, &p) : 0;

	if (n > 0)
		text_add(out, (struct span){ (uint8_t *)p, (size_t)n });
	else
		out->failed = true;
	BIO_free(bio);
}

static void print_certificate(X509 *x, struct text *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	print_bio(bio, bio && PEM_write_bio_X509(bio, x) == 1, out);
}

static void print_key(EVP_PKEY *key, struct text *out)
{
	BIO *bio = BIO_new(BIO_s_secmem());

	print_bio(bio,
		bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1,
		out);
}

void tls_authority_print(const struct tls_authority *ca, struct text *certificate, struct text *key)
{
	print_certificate(ca->certificate, certificate);
	print_key(ca->key, key);
}

static void put_le32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

void tls_authority_print_efi_list(const struct tls_authority *ca, struct text *out)
{
	/* EFI_CERT_X509_GUID, then SignatureListSize, SignatureHeaderSize (0) and
	 * SignatureSize; one entry: its owner (nobody) and the DER certificate. */
	enum { GUID = 16, LIST_HEADER = GUID + 12 };
	uint8_t header[LIST_HEADER + GUID] = { 0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87,
		0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72 };
	unsigned char *der = NULL;
	int n = i2d_X509(ca->certificate, &der);

	if (n <= 0) {
		out->failed = true;
		return;
	}
	put_le32(header + GUID, (uint32_t)(LIST_HEADER + GUID + n));
	put_le32(header + GUID + 8, (uint32_t)(GUID + n));
	text_add(out, (struct span){ header, sizeof(header) });
	text_add(out, (struct span){ der, (size_t)n });
	OPENSSL_free(der);
}

/* A letter, digit, '-', '.' or a '*' label: what RFC 5280 4.2.1.6 has for dNSName. */
static bool name_fits(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < 64 &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*") ==
		n;
}

static bool sign_server(const struct tls_authority *ca, X509 *x, EVP_PKEY *key,
	enum tls_key_kind kind, const struct tls_names *names, unsigned days)
{
	const char *usage = kind == TLS_KEY_RSA ? "critical,digitalSignature,keyEncipherment"
						: "critical,digitalSignature";
	struct ip4_text addr = ip4_str(names->n_addrs ? names->addrs[0] : (struct ip4){ 0 });

	return set_basics(x, key, names->n_addrs ? addr.s : names->names[0], days) &&
		X509_set_issuer_name(x, X509_get_subject_name(ca->certificate)) == 1 &&
		add_extension(x, ca->certificate, NID_basic_constraints, "critical,CA:FALSE") &&
		add_extension(x, ca->certificate, NID_key_usage, usage) &&
		add_extension(x, ca->certificate, NID_ext_key_usage, "serverAuth") &&
		add_extension(x, ca->certificate, NID_subject_key_identifier, "hash") &&
		add_extension(x, ca->certificate, NID_authority_key_identifier, "keyid:always") &&
		add_names(x, names) && X509_sign(x, ca->key, EVP_sha256()) != 0;
}

int tls_make_server(const struct tls_authority *ca, enum tls_key_kind kind,
	const struct tls_names *names, unsigned days, struct text *certificate, struct text *key)
{
	EVP_PKEY *own;
	X509 *x;
	int r = 0;

	for (size_t i = 0; i < names->n_names; i++)
		if (!name_fits(names->names[i]))
			return -EINVAL;
	if (names->n_addrs + names->n_names == 0)
		return -EINVAL;
	own = new_key(kind);
	x = X509_new();
	if (!own || !x || !sign_server(ca, x, own, kind, names, days)) {
		r = -EIO;
	} else {
		print_certificate(x, certificate);
		print_key(own, key);
		r = certificate->failed || key->failed ? -ENOMEM : 0;
	}
	X509_free(x);
	EVP_PKEY_free(own);
	ERR_clear_error();
	return r;
}
