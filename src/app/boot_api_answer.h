/* What a boot API says of a machine, as a profile.
 *
 * The form is Pixiecore's (its README.api.md): kernel, initrd, cmdline, message, or
 * ipxe-script.  URLs may be paths of the API's own server; in the command line,
 * {{ URL "…" }} stands for one, as does {"url": "…"} in its older form as an object.
 * Asks nobody and serves nothing.
 */
#pragma once

#include "core/config.h"

struct boot_api_answer {
	struct arena arena;
	struct profile profile; /* a kernel, unless there is a script */
	const char *script;     /* an iPXE script, as it is; or NULL */
};

#define BOOT_API_WHY_MAX 200

/* api: the URL that the API was asked by; http_root: where file:// URLs may lead, since
 * nothing outside of it is served.  0, and the answer is freed by boot_api_answer_free();
 * -EBADMSG with a clause that says why it is no answer; -ENOMEM. */
int boot_api_answer_read(struct span json, const char *api, const char *http_root, struct boot_api_answer *ret,
	char ret_why[static BOOT_API_WHY_MAX]) WARN_UNUSED;
void boot_api_answer_free(struct boot_api_answer *a);
