# One library per folder of src/, with explicit links; unit tests lie beside the sources as *_test.cpp.

# Compile options of everything that is ours. OpenMP: without it at::parallel_for is silently serial.
add_library(galore_options INTERFACE)
target_compile_options(galore_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Werror>)
target_include_directories(galore_options INTERFACE "${CMAKE_SOURCE_DIR}/src")

# libtorch brings headers of another fmt version (12) than the installed library (and spdlog's): without this
# folder in front of libtorch's, nothing that formats text links.
find_path(GALORE_FMT_HEADERS fmt/core.h PATHS /usr/include NO_DEFAULT_PATH REQUIRED)
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/fmt_first")
file(CREATE_LINK "${GALORE_FMT_HEADERS}/fmt" "${CMAKE_BINARY_DIR}/fmt_first/fmt" SYMBOLIC)
target_include_directories(galore_options SYSTEM BEFORE INTERFACE "${CMAKE_BINARY_DIR}/fmt_first")
target_link_libraries(galore_options INTERFACE Libtorch::cpu OpenMP::OpenMP_CXX fmt::fmt)

# Torch headers cost seconds per file; every folder reuses one precompiled set.
add_library(galore_pch STATIC "${CMAKE_SOURCE_DIR}/cmake/pch.cpp")
target_precompile_headers(galore_pch PRIVATE <ATen/ATen.h> <fmt/core.h> <map> <memory> <string> <vector>)
target_link_libraries(galore_pch PRIVATE galore_options)

if(GALORE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# galore_folder(<name> LINKS <lower folders and libraries...>): all .cpp files of the current folder.
function(galore_folder name)
  cmake_parse_arguments(ARG "" "" "LINKS;EXCLUDE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  foreach(excluded ${ARG_EXCLUDE})
    list(FILTER sources EXCLUDE REGEX "/${excluded}$")
  endforeach()
  if(NOT sources)
    add_library(galore_${name} INTERFACE)
    target_link_libraries(galore_${name} INTERFACE galore_options ${ARG_LINKS})
    return()
  endif()
  add_library(galore_${name} STATIC ${sources})
  target_link_libraries(galore_${name} PUBLIC galore_options ${ARG_LINKS})
  target_precompile_headers(galore_${name} REUSE_FROM galore_pch)
  if(GALORE_TESTS AND tests)
    galore_test(${name}_test SOURCES ${tests} LINKS galore_${name})
  endif()
endfunction()

function(galore_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM galore_pch)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 600)
endfunction()
