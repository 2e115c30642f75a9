/* tests/store/test_failure.c - reasons of failed reads in words (store/failure.h) */
#include "store/failure.h"

#include <errno.h>

#include "harness.h"

TEST(a_failure_names_file_place_and_reason)
{
    static const struct {
        int32_t failure;
        ErrorId id;
        const char *reason;
    } cases[] = {
        {EIO, ERROR_READ, "errno 5"},
        {FAILURE_ENDED, ERROR_FILE_CHANGED, "not at 9000"},
        {FAILURE_SHORT, ERROR_READ, "only in part"},
        {FAILURE_TOO_MUCH, ERROR_READ, "more was read"},
        {FAILURE_DAMAGED, ERROR_DAMAGED, "differ from their checksums"},
    };
    char path[] = "some/file";
    File file = {.path = path, .n_bytes = 9000};

    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        CHECK(!failure_say(cases[i].failure, &file, 4096, &err));
        CHECK_ERROR(err, cases[i].id);
        CHECK_CASE(cases[i].reason, strstr(err.message, cases[i].reason));
        CHECK_CASE(cases[i].reason, strstr(err.message, "some/file"));
        CHECK_CASE(cases[i].reason, strstr(err.message, "4096"));
    }
}
