/* Looking into a file of certificates; see ca_file.h. */
#include "edge/ca_file.h"

#include "edge/files.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <unistd.h>

#define CA_FILE_MAX (16u << 20) /* those of all the world are 250 KB */

static bool has_certificate(struct span octets)
{
	BIO *bio = BIO_new_mem_buf(octets.p, (int)octets.n);
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool has = certificate != NULL;

	X509_free(certificate);
	BIO_free(bio);
	ERR_clear_error();
	return has;
}

int ca_file_check(const char *path)
{
	struct text octets = { 0 };
	struct stat st;
	int fd, r = files_open_path(path, &fd, &st);

	if (r < 0)
		return r;
	r = files_read_all(fd, CA_FILE_MAX, &octets);
	(void)close(fd);
	if (r == 0 && (octets.n == 0 || !has_certificate(text_span(&octets))))
		r = -EBADMSG;
	text_free(&octets);
	return r;
}
