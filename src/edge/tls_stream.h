/* The server's end of TLS over TCP, as a stream (edge/stream.h).
 *
 * The handshake is part of the first receiving; who may take how long for it is
 * the owner's deadline.  Where the kernel encrypts (kTLS) a file goes out by
 * sendfile, else it is read and encrypted here.  Kernels without kTLS are what
 * this was tried on; the kTLS path was not.
 */
#pragma once

#include "edge/stream.h"

struct ssl_ctx_st;

/* Besides stream.h's errors receiving gives, of a handshake that failed:
 * -EKEYREJECTED: the client does not trust the certificate; -ENOPROTOOPT: no version
 * or cipher in common; -ENOMSG: this is no TLS (plain HTTP). */

/* fd is closed with the stream.  The context may be given back at once.
 * -ENOMEM, fd untouched. */
int tls_stream_init(struct stream *s, int fd, struct ssl_ctx_st *context) WARN_UNUSED;
