/* A raw socket for ICMP echo: questions go where the kernel routes them. */
#pragma once

#include "base/addr.h"

/* Non-blocking; hears echo replies.  *ret_cookie: a number that nobody can guess,
 * for its questions.  -EPERM, … */
int icmp_socket_open(int *ret_fd, uint64_t *ret_cookie) WARN_UNUSED;
/* -ENETUNREACH and the like: there is no way there. */
int icmp_socket_send(int fd, struct ip4 to, uint64_t cookie) WARN_UNUSED;
/* Who answered.  -EAGAIN: nobody; -EBADMSG: not an answer to us. */
int icmp_socket_recv(int fd, uint64_t cookie, struct ip4 *ret_source) WARN_UNUSED;
