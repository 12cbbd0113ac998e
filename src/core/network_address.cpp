#include "core/network_address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/errors.h"

namespace galore {

std::string address_towards(const std::string& host, int64_t port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    fail("distributed", "the host name '{}' is not known", host);
  std::string address;
  for (const addrinfo* at = found; at && address.empty(); at = at->ai_next) {
    const int socket = ::socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    char text[NI_MAXHOST] = "";
    // A datagram socket that is connected has an address, although nothing was sent.
    if (socket >= 0 && ::connect(socket, at->ai_addr, at->ai_addrlen) == 0 &&
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &length) == 0 &&
        ::getnameinfo(reinterpret_cast<sockaddr*>(&own), length, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) == 0)
      address = text;
    if (socket >= 0) ::close(socket);
  }
  ::freeaddrinfo(found);
  if (address.empty()) fail("distributed", "no network leads to {}", host);
  return address;
}

}  // namespace galore
