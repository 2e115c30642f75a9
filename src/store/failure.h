/* Why a read failed for good: an errno, or a reason that the mover found in what arrived. */
#ifndef HYPURA_STORE_FAILURE_H
#define HYPURA_STORE_FAILURE_H

#include "sys/file.h"

// Beside errno values, which are positive.
#define FAILURE_ENDED    (-1) // the file ended before its size
#define FAILURE_SHORT    (-2) // reads end again and again before they get anywhere
#define FAILURE_TOO_MUCH (-3) // a completion says more bytes than were asked for
#define FAILURE_DAMAGED  (-4) // bytes that differ from their checksums

/* Puts it into words, with the file and the place; returns false. */
bool failure_say(int32_t failure, const File *file, uint64_t offset_bytes, Error *err);

#endif
