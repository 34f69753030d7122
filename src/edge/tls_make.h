/* Certificates for a lab: an authority of one's own, and servers that it signs.
 *
 * Makes texts in memory; writing them is the caller's work.  The authority and one
 * of the server's certificates are RSA with 2048 bits, because firmware may know
 * no elliptic curves (EDK2 as Debian 12 builds it); the other is ECDSA P-256.
 * Nothing begins before 2000-01-01, where clocks with an empty battery stand.
 */
#pragma once

#include "base/addr.h"
#include "base/text.h"

struct tls_authority; /* a CA's certificate and private key */

enum tls_key_kind {
	TLS_KEY_RSA,
	TLS_KEY_ECDSA,
};

/* What a server is called: IP and DNS names of its certificate. */
struct tls_names {
	const struct ip4 *addrs;
	size_t n_addrs;
	const char *const *names;
	size_t n_names;
};

/* name: the subject's common name.  0, -ENOMEM, or -EIO (OpenSSL refused). */
int tls_authority_new(const char *name, unsigned days, struct tls_authority **ret) WARN_UNUSED;
/* From PEM.  -EINVAL: no certificate of a CA, no key, or not its key. */
int tls_authority_parse(
	struct span certificate, struct span key, struct tls_authority **ret) WARN_UNUSED;
void tls_authority_free(struct tls_authority *ca);

/* PEM, appended; a failure shows in the texts. */
void tls_authority_print(
	const struct tls_authority *ca, struct text *certificate, struct text *key);

/* The EFI_SIGNATURE_LIST (UEFI 2.10, 32.4.1) by which firmware takes the CA:
 * octets, appended. */
void tls_authority_print_efi_list(const struct tls_authority *ca, struct text *out);

/* A new key and its certificate, PEM, appended.  0, -ENOMEM, -EIO, or -EINVAL: no
 * or unfit names. */
int tls_make_server(const struct tls_authority *ca, enum tls_key_kind kind,
	const struct tls_names *names, unsigned days, struct text *certificate,
	struct text *key) WARN_UNUSED;
