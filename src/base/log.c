/*
 * One line per call, in one write: stderr is unbuffered, and stdio collects a call's
 * output first, so lines of several threads don't mix. Text from files is escaped.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/printable.h"

#define LOG_LINE_BYTES 1024

static _Atomic int current_level = LOG_WARN;

void log_set_level(LogLevel level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

LogLevel log_level(void)
{
    return (LogLevel)atomic_load_explicit(&current_level, memory_order_relaxed);
}

static void write_line(LogLevel level, const char *format, va_list arguments) PRINTF(2, 0);

static void write_line(LogLevel level, const char *format, va_list arguments)
{
    char text[LOG_LINE_BYTES], line[LOG_LINE_BYTES];

    if (level > log_level()) return;
    int n = vsnprintf(text, sizeof(text), format, arguments);
    if (n < 0) return;
    printable_copy(
        line, sizeof(line), text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
    fprintf(stderr, "hypura: %s\n", line);
}

void log_warn(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(LOG_WARN, format, arguments);
    va_end(arguments);
}

void log_info(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(LOG_INFO, format, arguments);
    va_end(arguments);
}

void log_debug(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(LOG_DEBUG, format, arguments);
    va_end(arguments);
}
