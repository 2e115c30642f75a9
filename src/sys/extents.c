/* FIEMAP (Linux Documentation/filesystems/fiemap.rst) tells reserved from written; where a file
 * system has it not, SEEK_DATA finds holes at least. Nothing is flushed for it: what is not on
 * the drive yet counts as not written. */
#include "sys/extents.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"

#define BATCH 64 // extents of one call

#define NOT_PLAIN                                                           \
    (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED \
        | FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL | FIEMAP_EXTENT_UNWRITTEN)

typedef struct ExtentList {
    FileExtent *extents;
    uint32_t n, n_max, file;
    uint64_t file_bytes;
} ExtentList;

/* Appends a range, cut at the end of the file; neighbours become one. False: it is full. */
static bool list_add(ExtentList *list, uint64_t offset_bytes, uint64_t n_bytes)
{
    FileExtent *last = list->n > 0 ? &list->extents[list->n - 1] : NULL;

    if (offset_bytes >= list->file_bytes || n_bytes == 0) return true;
    if (n_bytes > list->file_bytes - offset_bytes) n_bytes = list->file_bytes - offset_bytes;
    if (last && last->offset_bytes + last->n_bytes == offset_bytes) {
        last->n_bytes += n_bytes;
        return true;
    }
    if (list->n == list->n_max) return false;
    list->extents[list->n++] =
        (FileExtent){.file = list->file, .offset_bytes = offset_bytes, .n_bytes = n_bytes};
    return true;
}

/* False: the file system has no such map. */
static bool add_mapped(const File *opened, struct fiemap *map, ExtentList *list)
{
    uint64_t at = 0;

    for (;;) {
        *map = (struct fiemap){
            .fm_start = at, .fm_length = list->file_bytes - at, .fm_extent_count = BATCH};
        if (ioctl(opened->fd, FS_IOC_FIEMAP, map) != 0) return false;
        for (uint32_t i = 0; i < map->fm_mapped_extents; i++) {
            const struct fiemap_extent *extent = &map->fm_extents[i];
            at = extent->fe_logical + extent->fe_length;
            if (!(extent->fe_flags & NOT_PLAIN)
                && !list_add(list, extent->fe_logical, extent->fe_length))
                return true;
            if (extent->fe_flags & FIEMAP_EXTENT_LAST) return true;
        }
        if (map->fm_mapped_extents == 0 || at >= list->file_bytes) return true;
    }
}

/* The parts that are no holes. A file system without holes says that all of it is data. */
static void add_data(const File *opened, ExtentList *list)
{
    for (off_t at = 0;;) {
        off_t begin = lseek(opened->fd, at, SEEK_DATA);
        if (begin < 0 && errno == ENXIO) return; // nothing behind this place
        if (begin < 0) break;
        off_t end = lseek(opened->fd, begin, SEEK_HOLE);
        if (end <= begin) break;
        if (!list_add(list, (uint64_t)begin, (uint64_t)(end - begin))) return;
        at = end;
    }
    if (list->n == 0) (void)list_add(list, 0, list->file_bytes); // it can't tell
}

bool extents_find(
    const File *opened, uint32_t file, FileExtent *out, uint32_t n_max, uint32_t *n, Error *err)
{
    ExtentList list = {.extents = out, .n_max = n_max, .file = file, .file_bytes = opened->n_bytes};
    size_t n_bytes = sizeof(struct fiemap) + BATCH * sizeof(struct fiemap_extent);
    struct fiemap *map = mem_alloc(MEM_OTHER, n_bytes, err);

    if (!map) return false;
    if (!add_mapped(opened, map, &list)) {
        list.n = 0;
        add_data(opened, &list);
    }
    mem_free(MEM_OTHER, map);
    *n = list.n;
    return true;
}
