// A library for LD_PRELOAD that gives a program a full disk: from write number GALORE_FAIL_WRITE on, counted
// from 1, every write to a regular file fails with ENOSPC. If GALORE_COUNT_WRITES names a file, it receives
// the number of writes when the program ends.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long writes;

static int is_regular(int descriptor) {
  struct stat status;
  return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

static int fails(void) {
  const char* first = getenv("GALORE_FAIL_WRITE");
  const long number = atomic_fetch_add(&writes, 1) + 1;
  return first && number >= atol(first);
}

ssize_t write(int descriptor, const void* data, size_t bytes) {
  static ssize_t (*original)(int, const void*, size_t);
  if (!original) original = (ssize_t(*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write");
  if (is_regular(descriptor) && fails()) return errno = ENOSPC, -1;
  return original(descriptor, data, bytes);
}

// The log is written through a buffer, whose own writes cannot be intercepted.
int fflush(FILE* file) {
  static int (*original)(FILE*);
  if (!original) original = (int (*)(FILE*))dlsym(RTLD_NEXT, "fflush");
  if (file && is_regular(fileno(file)) && fails()) return errno = ENOSPC, EOF;
  return original(file);
}

__attribute__((destructor)) static void tell(void) {
  const char* path = getenv("GALORE_COUNT_WRITES");
  FILE* file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld\n", atomic_load(&writes));
  fclose(file);
}
