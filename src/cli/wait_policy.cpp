// How long a thread of libgomp spins before it sleeps, chosen before libgomp starts.
//
// Its default spins for milliseconds at every barrier. On a machine that does something else besides, a
// thread then burns the very time that the one it waits for needs: beside two compilers, a step took seven
// times as long as with this setting (60m, 256 tokens, 2 threads). OMP_WAIT_POLICY and GOMP_SPINCOUNT of the
// user stand.
#include <cstdlib>

namespace {

void choose_wait_policy(int, char**, char**) {
  if (!std::getenv("OMP_WAIT_POLICY")) ::setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/0);
}

// Runs before the constructors of shared libraries, where libgomp reads its environment.
[[gnu::section(".preinit_array"), gnu::used]] void (*const kBeforeLibraries)(int, char**,
                                                                             char**) = choose_wait_policy;

}  // namespace
