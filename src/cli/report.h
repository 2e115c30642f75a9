/* Failures as the user reads them, and the exit status that each has. */
#ifndef HYPURA_CLI_REPORT_H
#define HYPURA_CLI_REPORT_H

#include "base/error.h"
#include "hypura/hypura.h"

#define STATUS_OK           0
#define STATUS_USAGE        2
#define STATUS_CHECK_FAILED 7
#define STATUS_OF_SIGNAL    128 // plus the signal's number

/* Writes "hypura: <what>: <message> [E0312]" and, where there is one, "  try: <hint>" to
 * standard error. The hint is the error's own, or the help of the verb that `what` names and
 * that was used wrongly. Each returns the exit status. */
int report_error(const char *what, const Error *err);
int report_api_error(const char *what, const hypura_error *err);

/* The same with a hint of the caller's; NULL or empty: the error's own. */
int report_error_with_hint(const char *what, const Error *err, const char *hint);

/* An error as the public interface would tell it. */
void report_to_api(hypura_error *out, const Error *err);

/* What a failed write is, by its errno: DISK_FULL, or `otherwise`. */
ErrorId report_write_error_id(int error_number, ErrorId otherwise);

/* Wrong usage of a verb in one line: the message is formatted, the hint may be NULL. */
int report_usage(const char *what, const char *hint, const char *format, ...) PRINTF(3, 4);

#endif
