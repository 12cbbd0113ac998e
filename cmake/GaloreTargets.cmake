# One library per folder of src/, with explicit links; unit tests lie beside the sources as *_test.cpp. What is installed
# of them, and how: GaloreInstall.cmake.

# Compile options of everything that is ours. OpenMP: without it at::parallel_for is silently serial.
add_library(galore_options INTERFACE)
# The flag and not CMake's OpenMP target, which links the compiler's libgomp by its path: libtorch brings one of the same
# name, and one program cannot have two.
# -Werror only on request: a compiler that we have not tried may warn where ours does not, which must not stop its user.
target_compile_options(galore_options INTERFACE
  "$<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;$<$<BOOL:${GALORE_WERROR}>:-Werror>>>"
  $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
target_link_options(galore_options INTERFACE $<$<LINK_LANGUAGE:CXX>:-fopenmp> $<$<LINK_LANGUAGE:CUDA>:-fopenmp>)
target_include_directories(galore_options INTERFACE "$<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src>")
target_compile_features(galore_options INTERFACE cxx_std_20)

# libtorch brings headers of another fmt version (12) than the installed library: without this folder in front of
# libtorch's, nothing that formats text links.
find_path(GALORE_FMT_HEADERS fmt/core.h PATHS /usr/include NO_DEFAULT_PATH REQUIRED)
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/fmt_first")
file(CREATE_LINK "${GALORE_FMT_HEADERS}/fmt" "${CMAKE_BINARY_DIR}/fmt_first/fmt" SYMBOLIC)
target_include_directories(galore_options SYSTEM BEFORE INTERFACE "$<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/fmt_first>")
target_link_libraries(galore_options INTERFACE Libtorch::cpu fmt::fmt)

# Torch headers cost seconds per file; every folder reuses one precompiled set.
add_library(galore_pch STATIC "${CMAKE_SOURCE_DIR}/cmake/pch.cpp")
target_precompile_headers(galore_pch PRIVATE <ATen/ATen.h> <fmt/core.h> <map> <memory> <string> <vector>)
target_link_libraries(galore_pch PRIVATE galore_options)

if(GALORE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# galore_folder(<name> [PROGRAM] LINKS <lower folders and libraries...> EXCLUDE <patterns...>): all .cpp files of the
# current folder but those whose path below it matches a pattern. PROGRAM: not of the library, only of the program.
function(galore_folder name)
  cmake_parse_arguments(ARG "PROGRAM" "" "LINKS;EXCLUDE" ${ARGN})
  if(NOT ARG_PROGRAM)
    set_property(GLOBAL APPEND PROPERTY GALORE_FOLDERS ${name})
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  foreach(excluded ${ARG_EXCLUDE})
    list(FILTER sources EXCLUDE REGEX "/${excluded}$")
  endforeach()
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
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

# galore_test(<name> SOURCES ... LINKS ... [LABELS slow]): a GoogleTest program; every case is a test of CTest or, with
# GALORE_TEST_PROGRAMS, the whole program is: loading libtorch under a sanitizer takes half a second each time.
# OMP_WAIT_POLICY: CTest runs as many programs as there are processors, each with as many threads, and threads that spin
# while they wait take the processors from those that work: 34 s against 1.7 s for three at once on two processors.
function(galore_test name)
  cmake_parse_arguments(ARG "" "LABELS" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM galore_pch)
  set(properties TIMEOUT 600 ENVIRONMENT OMP_WAIT_POLICY=passive)
  if(ARG_LABELS)
    list(APPEND properties LABELS "${ARG_LABELS}")
  endif()
  if(GALORE_TEST_PROGRAMS)
    add_test(NAME ${name} COMMAND ${name} --gtest_brief=1 WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
    set_tests_properties(${name} PROPERTIES ${properties} TIMEOUT 1800)
  else()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 NO_PRETTY_VALUES PROPERTIES ${properties})
  endif()
endfunction()
