/* A disk that fails at the n-th change of a folder: loaded into a program before its C library (LD_PRELOAD).

   FAULTY_FOLDER  only files below it count
   FAULTY_AT      the change that fails, counted from 1; 0 counts only
   FAULTY_HOW     kill: the process dies before it   torn: half of a write is done, then it dies
                  term, int: the process is told to end before it, as by `timeout` or Ctrl-C
                  eio, enospc: it fails, and so does every later one (a disk does not heal)
   FAULTY_COUNT   a file that is given the number of changes when the program ends by itself
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long changes;
static const char *folder, *how, *count_file;
static long at;
static size_t folder_length;

__attribute__((constructor)) static void begin(void) {
    folder = getenv("FAULTY_FOLDER");
    how = getenv("FAULTY_HOW");
    count_file = getenv("FAULTY_COUNT");
    at = getenv("FAULTY_AT") ? atol(getenv("FAULTY_AT")) : 0;
    folder_length = folder ? strlen(folder) : 0;
}

__attribute__((destructor)) static void end(void) {
    FILE *file = count_file ? fopen(count_file, "w") : NULL;
    if (file) {
        fprintf(file, "%ld\n", atomic_load(&changes));
        fclose(file);
    }
}

static int below(const char *path) {
    return folder && path && strncmp(path, folder, folder_length) == 0 && path[folder_length] == '/';
}

static int below_fd(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* 0: go on; 1: fail with errno; 2: do half, then die */
static int fault(int counts) {
    if (!counts) return 0;
    long number = atomic_fetch_add(&changes, 1) + 1;
    if (!at || !how || number < at) return 0;
    if (!strcmp(how, "eio")) { errno = EIO; return 1; }
    if (!strcmp(how, "enospc")) { errno = ENOSPC; return 1; }
    if (number > at) return 0;
    if (!strcmp(how, "torn")) return 2;
    if (!strcmp(how, "term") || !strcmp(how, "int")) {
        kill(getpid(), strcmp(how, "int") ? SIGTERM : SIGINT);
        return 0;
    }
    die();
    return 0;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    int bad = fault(below_fd(fd));
    if (bad == 1) return -1;
    if (bad == 2) { real(fd, data, size / 2); die(); }
    return real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    REAL(pwrite);
    int bad = fault(below_fd(fd));
    if (bad == 1) return -1;
    if (bad == 2) { real(fd, data, size / 2, offset); die(); }
    return real(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    REAL(pwrite64);
    int bad = fault(below_fd(fd));
    if (bad == 1) return -1;
    if (bad == 2) { real(fd, data, size / 2, offset); die(); }
    return real(fd, data, size, offset);
}

#define ON_FD(name, arguments, call)                                                                                           \
    int name arguments {                                                                                                       \
        REAL(name);                                                                                                            \
        int bad = fault(below_fd(fd));                                                                                         \
        if (bad == 1) return -1;                                                                                               \
        if (bad == 2) die();                                                                                                   \
        return real call;                                                                                                      \
    }
ON_FD(fsync, (int fd), (fd))
ON_FD(fdatasync, (int fd), (fd))
ON_FD(ftruncate, (int fd, off_t length), (fd, length))
ON_FD(ftruncate64, (int fd, off64_t length), (fd, length))

int rename(const char *from, const char *to) {
    REAL(rename);
    int bad = fault(below(to) || below(from));
    if (bad == 1) return -1;
    if (bad == 2) die();
    return real(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(renameat);
    int bad = fault(below(to) || below(from));
    if (bad == 1) return -1;
    if (bad == 2) die();
    return real(from_folder, from, to_folder, to);
}

int unlink(const char *path) {
    REAL(unlink);
    int bad = fault(below(path));
    if (bad == 1) return -1;
    if (bad == 2) die();
    return real(path);
}

#define OPEN(name)                                                                                                             \
    int name(const char *path, int flags, ...) {                                                                               \
        REAL(name);                                                                                                            \
        mode_t mode = 0;                                                                                                       \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                                                   \
            va_list more;                                                                                                      \
            va_start(more, flags);                                                                                             \
            mode = va_arg(more, mode_t);                                                                                       \
            va_end(more);                                                                                                      \
        }                                                                                                                      \
        int bad = fault((flags & O_CREAT) && below(path) && access(path, F_OK));                                               \
        if (bad == 1) return -1;                                                                                               \
        if (bad == 2) die();                                                                                                   \
        return real(path, flags, mode);                                                                                        \
    }
OPEN(open)
OPEN(open64)
