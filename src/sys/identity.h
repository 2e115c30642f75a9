/* Names for the parts of this machine, equal as long as the part is: what was measured on one is
 * not true of another. For people too. */
#ifndef HYPURA_SYS_IDENTITY_H
#define HYPURA_SYS_IDENTITY_H

#include "base/error.h"

#define IDENTITY_BYTES 96

/* The drive below a file or folder: "nvme0n1p2 Samsung SSD 990 PRO 931.5 GiB ext4", with what of
 * it is known; without a drive of its own "overlay 5f3c0a91 20.0 GiB". FILE_OPEN: there is no
 * such path. `root` is put in front of /sys: "" for the machine. */
CHECKED bool identity_drive(
    const char *root, const char *path, char out[IDENTITY_BYTES], Error *err);

/* "Linux 6.18.1" */
void identity_kernel(char out[IDENTITY_BYTES]);

/* "AMD EPYC 9B45, family 26 model 2": some virtual machines leave half of the name away. */
void identity_cpu(const char *root, char out[IDENTITY_BYTES]);

#endif
