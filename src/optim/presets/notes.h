// The texts that `galore methods NAME` shows in addition to a preset's options: its equation, and its
// departures from the paper or the authors' code. The method's header gives the same information with
// reasons.
//
// Symbols: G is the gradient of an m x n weight W; P the basis; R = P^T G or G P, depending on the projected
// side; back(R) = P R or R P^T; M and V are moments; c = sqrt(1 - beta2^t) / (1 - beta1^t). Matrices are
// divided element by element.
#pragma once

#include <string>

namespace galore {

struct PresetNote {
  std::string equation, departures;
};
// Returns the note of a preset; it is empty for an unknown preset.
PresetNote preset_note(const std::string& preset);

}  // namespace galore
