/* The main program of fuzz targets in builds without libFuzzer: runs the target once over
 * each file of the folders that are its arguments, so that every build replays the corpus. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static uint8_t *read_file(const char *path, size_t *n_bytes)
{
    FILE *stream = fopen(path, "rb");
    if (!stream || fseek(stream, 0, SEEK_END) != 0) return NULL;
    long end = ftell(stream);
    rewind(stream);

    *n_bytes = (size_t)end; // never negative for a file of the corpus
    uint8_t *data = malloc(*n_bytes + 1);
    if (data && fread(data, 1, *n_bytes, stream) != *n_bytes) {
        free(data);
        data = NULL;
    }
    fclose(stream);
    return data;
}

/* Returns how many files there were, or -1. */
static int replay_folder(const char *folder)
{
    struct dirent **entries;
    int n_files = 0, n = scandir(folder, &entries, NULL, alphasort);

    if (n < 0) return -1;
    for (int i = 0; i < n; i++) {
        char path[4096];
        size_t n_bytes = 0;
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        uint8_t *data = entries[i]->d_type == DT_REG ? read_file(path, &n_bytes) : NULL;
        free(entries[i]);
        if (!data) continue;
        LLVMFuzzerTestOneInput(data, n_bytes);
        free(data);
        n_files++;
    }
    free(entries);
    return n_files;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int n_files = replay_folder(argv[i]);
        printf("%s: %d files\n", argv[i], n_files);
        if (n_files <= 0) return 1;
    }
    return argc > 1 ? 0 : 1;
}
