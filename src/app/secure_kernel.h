/* Kernels that Secure Boot is to load, and that lie elsewhere: judged when they are
 * asked for, since `check` cannot see them.
 *
 * The head of the file decides (core/efi_check.h), as soon as it has come.  What is not
 * signed, or for other machines than the one that asks, nobody gets: it is told why, and
 * so is the log.
 */
#pragma once

#include "app/question.h"
#include "app/site.h"

/* Answers, now or later.  kernel: of a profile in force, with an upstream. */
void secure_kernel_give(struct site *site, struct question *q, const struct file_ref *kernel);
