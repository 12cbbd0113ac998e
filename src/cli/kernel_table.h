// Describes which version of each operation runs on which device; `galore info --kernels` prints it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace galore {

// "device" is the device that device=auto means on this machine, "processor" the kernel level of
// kernels/cpu_features.h, and "cuda_built" tells whether this program has the CUDA kernels. Each entry of
// "operations" has a "name", the versions that exist ("cpu", "cuda", "composed": true or false) and the one
// that "device" uses ("here": "cpu kernel", "cuda kernel" or "composed").
nlohmann::ordered_json kernel_table();
// Formats the table for people, one line for each operation.
std::string kernel_table_text(const nlohmann::ordered_json& table);

}  // namespace galore
