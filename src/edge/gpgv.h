/* Signatures of OpenPGP, checked by gpgv(1). */
#pragma once

#include "base/text.h"

#include <uv.h>

/* Whether every signature is good and made by a key of the keyring.  signature: the
 * detached one of `file`; NULL: `file` holds text and signatures, and the text that
 * they sign goes to `output`.  0; -EKEYREJECTED: not so, *ret_said has gpgv's own
 * words; -ENOENT: there is no gpgv; or -errno.  Runs the loop until gpgv has ended. */
int gpgv_check(uv_loop_t *loop, const char *keyring, const char *file, const char *signature,
	const char *output, struct text *ret_said) WARN_UNUSED;
