/* Preloaded into the process of a trial: the n-th call of a kind below one folder fails.
 *
 * Python cannot see what DuckDB and Arrow write; the C library can. Only calls that name a path
 * below the folder, or a descriptor that was opened by such a path, are counted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN, WRITE, SYNC, RENAME, REMOVE, KINDS };

#define MOST_FILES 4096
static char folder[4096];
static long counted[KINDS];
static int armed = -1, error_number, lasts, is_short;
static long wanted;
static unsigned char ours[MOST_FILES];

void fault_arm(const char *path, int kind, long number, int error, int from_then_on, int cut) {
    strncpy(folder, path, sizeof folder - 1);
    memset(counted, 0, sizeof counted);
    armed = kind, wanted = number, error_number = error, lasts = from_then_on, is_short = cut;
}

long fault_count(int kind) { return counted[kind]; }

static int below(const char *path) {
    return folder[0] && path && strncmp(path, folder, strlen(folder)) == 0;
}

static int ours_is(int file) { return file >= 0 && file < MOST_FILES && ours[file]; }

static int due(enum kind kind) {
    long now = __sync_add_and_fetch(&counted[kind], 1);
    if (kind != (enum kind)armed || (now != wanted && !(lasts && now > wanted))) return 0;
    errno = error_number;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opened(int file, const char *path) {
    if (file >= 0 && file < MOST_FILES) ours[file] = (unsigned char)below(path);
    return file;
}

static int writes(int flags) { return (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0; }

static mode_t mode_of(int flags, va_list more) {
    return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;
}

#define OPENER(name)                                                         \
    int name(const char *path, int flags, ...) {                             \
        va_list more;                                                        \
        va_start(more, flags);                                               \
        mode_t mode = mode_of(flags, more);                                  \
        va_end(more);                                                        \
        if (writes(flags) && below(path) && due(OPEN)) return -1;            \
        return opened(REAL(name)(path, flags, mode), path);                  \
    }
OPENER(open)
OPENER(open64)

#define OPENER_AT(name)                                                      \
    int name(int at, const char *path, int flags, ...) {                     \
        va_list more;                                                        \
        va_start(more, flags);                                               \
        mode_t mode = mode_of(flags, more);                                  \
        va_end(more);                                                        \
        if (writes(flags) && below(path) && due(OPEN)) return -1;            \
        return opened(REAL(name)(at, path, flags, mode), path);              \
    }
OPENER_AT(openat)
OPENER_AT(openat64)

ssize_t write(int file, const void *bytes, size_t size) {
    if (ours_is(file) && due(WRITE)) {
        if (is_short && size > 1) return REAL(write)(file, bytes, size / 2);
        return -1;
    }
    return REAL(write)(file, bytes, size);
}

#define PWRITER(name, offset_type)                                           \
    ssize_t name(int file, const void *bytes, size_t size, offset_type at) { \
        if (ours_is(file) && due(WRITE)) {                                   \
            if (is_short && size > 1) return REAL(name)(file, bytes, size / 2, at); \
            return -1;                                                       \
        }                                                                    \
        return REAL(name)(file, bytes, size, at);                            \
    }
PWRITER(pwrite, off_t)
PWRITER(pwrite64, off64_t)

ssize_t writev(int file, const struct iovec *parts, int count) {
    if (ours_is(file) && due(WRITE)) return -1;
    return REAL(writev)(file, parts, count);
}

int fsync(int file) { return ours_is(file) && due(SYNC) ? -1 : REAL(fsync)(file); }
int fdatasync(int file) { return ours_is(file) && due(SYNC) ? -1 : REAL(fdatasync)(file); }
int ftruncate(int file, off_t size) {
    return ours_is(file) && due(WRITE) ? -1 : REAL(ftruncate)(file, size);
}
int ftruncate64(int file, off64_t size) {
    return ours_is(file) && due(WRITE) ? -1 : REAL(ftruncate64)(file, size);
}
int rename(const char *from, const char *to) {
    return below(to) && due(RENAME) ? -1 : REAL(rename)(from, to);
}
int symlink(const char *target, const char *path) {
    return below(path) && due(RENAME) ? -1 : REAL(symlink)(target, path);
}
int link(const char *from, const char *to) {
    return below(to) && due(RENAME) ? -1 : REAL(link)(from, to);
}
int unlink(const char *path) { return below(path) && due(REMOVE) ? -1 : REAL(unlink)(path); }
int rmdir(const char *path) { return below(path) && due(REMOVE) ? -1 : REAL(rmdir)(path); }
int mkdir(const char *path, mode_t mode) {
    return below(path) && due(OPEN) ? -1 : REAL(mkdir)(path, mode);
}
