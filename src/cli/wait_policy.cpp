// Sets how long a thread of libgomp spins before it sleeps. This must happen before libgomp starts.
//
// By default libgomp spins for milliseconds at every barrier. On a machine with other work, a thread then
// burns the time that the thread it waits for needs: with two compilers running, a step took seven times as
// long as with this setting (60m, 256 tokens, 2 threads). OMP_WAIT_POLICY and GOMP_SPINCOUNT of the user have
// precedence.
#include <cstdlib>

namespace {

void choose_wait_policy(int, char**, char**) {
  if (!std::getenv("OMP_WAIT_POLICY")) ::setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/0);
}

// Runs before the constructors of shared libraries, in which libgomp reads its environment.
[[gnu::section(".preinit_array"), gnu::used]] void (*const kBeforeLibraries)(int, char**,
                                                                             char**) = choose_wait_policy;

}  // namespace
