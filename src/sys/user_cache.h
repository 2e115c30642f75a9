/* The user's cache folder: small files that may vanish at any time, each written whole or not
 * at all. The one place where Hypura writes without being asked by name. */
#ifndef HYPURA_SYS_USER_CACHE_H
#define HYPURA_SYS_USER_CACHE_H

#include "base/error.h"

#define USER_CACHE_PATH_BYTES 4096

/* $XDG_CACHE_HOME/hypura, else $HOME/.cache/hypura. False: neither is set, or too long. */
bool user_cache_folder(char out[USER_CACHE_PATH_BYTES]);

/* Makes the folder, mode 0700, where it is missing. FILE_WRITE: it cannot be. */
CHECKED bool user_cache_make(Error *err);

/* The whole file `name` of the folder. *data is allocated (MEM_OTHER), NULL when there is none or
 * it is longer than n_bytes_max. */
CHECKED bool user_cache_read(
    const char *name, size_t n_bytes_max, uint8_t **data, size_t *n_bytes, Error *err);

/* Replaces the file `name`, or leaves it as it was: written beside it, flushed, renamed. */
CHECKED bool user_cache_write(const char *name, const uint8_t *data, size_t n_bytes, Error *err);

#endif
