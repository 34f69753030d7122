/* machines/WHO/boot.efi and boot.img: an image that is made for the machine that asks, and
 * which UEFI loads by HTTP: a unified kernel image (app/unified_image.h), or a disk with
 * GRUB (app/boot_disk.h), as was decided for it.
 *
 * Nothing is copied, the HTTP server sends each octet from where it lies.  Parts that lie
 * elsewhere need not be here yet: the image leaves as they come.  What cannot be made is an
 * error with its reason, which the log has too.
 */
#pragma once

#include "app/question.h"
#include "app/site.h"

/* Answers the question, now or later. */
void made_image_give(struct site *site, struct question *q, struct mac mac);
