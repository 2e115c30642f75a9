/* What happened besides the result: to stderr, one line each, safe for a terminal. */
#ifndef HYPURA_BASE_LOG_H
#define HYPURA_BASE_LOG_H

#include "base/error.h"

typedef enum LogLevel { LOG_QUIET, LOG_WARN, LOG_INFO, LOG_DEBUG } LogLevel;

void log_set_level(LogLevel level); // default LOG_WARN
LogLevel log_level(void);

/* "hypura: …" on stderr when the level allows it. */
void log_warn(const char *format, ...) PRINTF(1, 2);
void log_info(const char *format, ...) PRINTF(1, 2);
void log_debug(const char *format, ...) PRINTF(1, 2);

#endif
