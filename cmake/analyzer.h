/* Included before every file of the `analyze` build. gcc's analyzer sees one file at a
 * time and cannot know that error_set() and error_at() return false; here it can. */
#ifndef HYPURA_CMAKE_ANALYZER_H
#define HYPURA_CMAKE_ANALYZER_H

#include "base/error.h"

#define error_set(...) (error_set(__VA_ARGS__), false)
#define error_at(...)  (error_at(__VA_ARGS__), false)

#endif
