# Every folder of src/ is a library with explicit links; its unit tests are the *_test.cpp in it.
# GaloreInstall.cmake says which of the libraries and headers are installed.

# All our targets link these options. Without OpenMP at::parallel_for is silently serial.
add_library(galore_options INTERFACE)
# We pass the flag, because CMake's OpenMP target links the compiler's libgomp by its path: libtorch
# ships a library of the same name, and one program cannot load both. We set -Werror only on request: a
# compiler that we have not tried may warn where ours does not, which must not stop its user.
#
# The Python module is a shared library of the objects of which the program is made. Hidden
# functions are called directly and may be inlined, as in code that is not position independent. We
# pass the flags, because CMake's property would give programs -fPIE, with which GCC refuses
# precompiled headers of -fPIC.
target_compile_options(galore_options INTERFACE
  "$<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;$<$<BOOL:${GALORE_WERROR}>:-Werror>>>"
  "$<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-fPIC;-fvisibility=hidden>$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fPIC>>"
  $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
target_link_options(galore_options INTERFACE $<$<LINK_LANGUAGE:CXX>:-fopenmp> $<$<LINK_LANGUAGE:CUDA>:-fopenmp>)
target_include_directories(galore_options INTERFACE "$<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src>")
target_compile_features(galore_options INTERFACE cxx_std_20)

target_link_libraries(galore_options INTERFACE Libtorch::cpu)
# libtorch ships the headers of fmt 12, and Debian another version of the library. Code that formats
# text links only when Debian's headers are searched before libtorch's. The optimizers of the Python
# module use libtorch's headers and no library, so that they need no package of Debian.
if(GALORE_PYTHON AND NOT GALORE_PYTHON_TRAINER)
  target_compile_definitions(galore_options INTERFACE FMT_HEADER_ONLY)
else()
  find_path(GALORE_FMT_HEADERS fmt/core.h PATHS /usr/include NO_DEFAULT_PATH REQUIRED)
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/fmt_first")
  file(CREATE_LINK "${GALORE_FMT_HEADERS}/fmt" "${CMAKE_BINARY_DIR}/fmt_first/fmt" SYMBOLIC)
  target_include_directories(galore_options SYSTEM BEFORE INTERFACE "$<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/fmt_first>")
  target_link_libraries(galore_options INTERFACE fmt::fmt)
endif()

# libtorch's headers take seconds per file, so every folder reuses one set of precompiled headers.
add_library(galore_pch STATIC "${CMAKE_SOURCE_DIR}/cmake/pch.cpp")
target_precompile_headers(galore_pch PRIVATE <ATen/ATen.h> <fmt/core.h> <map> <memory> <string> <vector>)
target_link_libraries(galore_pch PRIVATE galore_options)

if(GALORE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# galore_folder(<name> [PROGRAM] LINKS <lower folders and libraries...> EXCLUDE <patterns...>) makes
# the library galore_<name> of all .cpp files of the current folder, except those with a path that
# matches a pattern. With PROGRAM it belongs to the program and is not installed for embedders.
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

# galore_test(<name> SOURCES ... LINKS ... [LABELS slow]) makes a GoogleTest program. Every
# suite is one CTest test, and every case in programs with a label. A program needs a quarter of a
# second to load libtorch, which is longer than most cases take, and twice that under a sanitizer,
# so with GALORE_TEST_PROGRAMS the whole program is one test. CTest runs as many programs at once as
# there are processors, each with as many threads. Threads that spin while they wait take the
# processors from threads that work (34 s against 1.7 s for three programs on two processors), so
# they sleep.
#
# Tests take as long to compile as the library. They compile a quarter faster with -O1, and in a
# third less time without the sanitizer of undefined behaviour, which checks the library that they
# call.
function(galore_test name)
  cmake_parse_arguments(ARG "" "LABELS" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM galore_pch)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=[a-z,]*undefined")
    target_compile_options(${name} PRIVATE -fno-sanitize=undefined)
  endif()
  set(properties TIMEOUT 600 ENVIRONMENT OMP_WAIT_POLICY=passive)
  if(ARG_LABELS)
    list(APPEND properties LABELS "${ARG_LABELS}")
  endif()
  if(GALORE_TEST_PROGRAMS)
    add_test(NAME ${name} COMMAND ${name} --gtest_brief=1 WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
    set_tests_properties(${name} PROPERTIES ${properties} TIMEOUT 1800)
  elseif(ARG_LABELS)
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 NO_PRETTY_VALUES PROPERTIES ${properties})
  else()
    galore_register_suites(${name} "${properties}")
  endif()
endfunction()

# Makes every suite of a program a CTest test once the program is built.
function(galore_register_suites name properties)
  list(JOIN properties " " words)
  set(tests "${CMAKE_CURRENT_BINARY_DIR}/${name}_suites.cmake")
  add_custom_command(
    TARGET ${name} POST_BUILD VERBATIM BYPRODUCTS "${tests}"
    COMMAND "${CMAKE_COMMAND}" "-DPROGRAM=$<TARGET_FILE:${name}>" "-DFOLDER=${CMAKE_CURRENT_BINARY_DIR}"
            "-DPROPERTIES=${words}" "-DOUTPUT=${tests}" -P "${PROJECT_SOURCE_DIR}/cmake/DiscoverSuites.cmake")
  set(include "${CMAKE_CURRENT_BINARY_DIR}/${name}_include.cmake")
  file(WRITE "${include}" "if(EXISTS [=[${tests}]=])\n  include([=[${tests}]=])\n"
                          "else()\n  add_test(${name}_NOT_BUILT ${name}_NOT_BUILT)\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${include}")
endfunction()
