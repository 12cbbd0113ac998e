// The text form of lists: "a,b,c", with quotes or a backslash around separators that belong to an item.
//
// An item in quotes (" or ') is taken as it is, except that \" stands for " and \\ for \. Outside quotes a
// backslash keeps the separator behind it. split_list() in options.h reads this form.
#pragma once

#include <string>
#include <vector>

namespace galore {

// Returns an item so that split_list() gives it back as one item.
std::string list_item(const std::string& item, char separator = ',');
std::string join_list(const std::vector<std::string>& items, char separator = ',');

}  // namespace galore
