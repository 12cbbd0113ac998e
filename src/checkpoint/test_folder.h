#pragma once

#include "core/test_folder.h"
