// The table of adapters: the name that users give, and how the adapter is made from its arguments.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/adapter.h"

namespace galore {

class OptionTable;

struct AdapterKind {
  const char* name;
  const char* help;
  // Makes the adapter from a map of arguments. An argument that the adapter does not know, or a value that it
  // cannot use, is a UsageError that names it.
  std::shared_ptr<const Adapter> (*make)(const Adapter::Json& arguments);
  // Makes the adapter of a PEFT directory from its adapter_config.json, whose path is `where`. `arguments`
  // change how it is trained. Null if the adapter has no form in PEFT's files.
  std::shared_ptr<const Adapter> (*read)(const Adapter::Json& config, const std::string& where,
                                         const Adapter::Json& arguments) = nullptr;
};

// One row per adapter: the function of each, which stands in a file of its name.
#define GALORE_ADAPTERS(ROW) \
  ROW(lora)                  \
  ROW(rslora)                \
  ROW(dora)                  \
  ROW(lora_plus)             \
  ROW(low_rank)              \
  ROW(cola)                  \
  ROW(sltrain)               \
  ROW(relora)                \
  ROW(inrank)                \
  ROW(welore)                \
  ROW(prilora)               \
  ROW(gradnormlorp)          \
  ROW(poet_x)

#define GALORE_DECLARE_ADAPTER(name) AdapterKind name##_adapter();
GALORE_ADAPTERS(GALORE_DECLARE_ADAPTER)
#undef GALORE_DECLARE_ADAPTER

// Returns the adapter of this name. An unknown name is a UsageError that lists the known ones.
const AdapterKind& adapter_kind(const std::string& name);
std::vector<std::string> adapter_names();

// Reads adapter_args: a map in JSON, or "k=v,k=v". In the second form an item without "k=" belongs to the
// value before it, and commas inside brackets or braces or behind a backslash separate nothing.
Adapter::Json parse_adapter_args(const std::string& text);
// Sets the options of an adapter that declares them in a table.
void set_options(OptionTable& table, const Adapter::Json& arguments);
// Sets the options that the table declares and takes them out of the arguments. All others stay.
void take_own_options(OptionTable& table, Adapter::Json& arguments);

}  // namespace galore
