// What `galore methods NAME` says of a preset beside its options: the equation, and where it leaves the paper
// or the authors' code. The method's header says the same to its reader, with the reasons.
//
// G: gradient of an m x n weight W; P: basis; R = P^T G or G P, whichever side is projected; back(R) = P R or
// R P^T; M, V: moments; c = sqrt(1 - beta2^t) / (1 - beta1^t); a / b of matrices: element by element.
#pragma once

#include <string>

namespace galore {

struct PresetNote {
  std::string equation, departures;
};
// Of an unknown preset: empty.
PresetNote preset_note(const std::string& preset);

}  // namespace galore
