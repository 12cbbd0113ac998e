# Finds the tensor library: an installation in TORCH_ROOT if it is set, otherwise the one of this
# project.
#
# TORCH_ROOT (CMake or environment variable) is the folder that holds include/ and lib/: the `torch`
# folder of a wheel or of an unpacked libtorch archive. Without it, the folder is LIBTORCH_HINT,
# which the installed package sets to the libtorch that it was built with, or the pinned wheel in
# .deps/libtorch. Without CUDA only torch_cpu and c10 are linked, so the program runs without a CUDA
# driver. PyTorch's own package file is not used, because it needs a CUDA toolkit and overrides
# CMAKE_CUDA_ARCHITECTURES.
#
# Targets: Libtorch::cpu, and Libtorch::cuda when GALORE_CUDA is on. Variables: LIBTORCH_ROOT,
# LIBTORCH_RPATH, Libtorch_VERSION.
include(FindPackageHandleStandardArgs)
if(DEFINED ENV{TORCH_ROOT} AND NOT TORCH_ROOT)
  set(TORCH_ROOT "$ENV{TORCH_ROOT}")
endif()
set(TORCH_ROOT "${TORCH_ROOT}" CACHE PATH "Folder with libtorch's include/ and lib/")
set(LIBTORCH_ROOT "${TORCH_ROOT}")
if(NOT LIBTORCH_ROOT AND LIBTORCH_HINT)
  set(LIBTORCH_ROOT "${LIBTORCH_HINT}")
elseif(NOT LIBTORCH_ROOT)
  set(LIBTORCH_ROOT "${CMAKE_SOURCE_DIR}/.deps/libtorch/torch")
endif()
get_filename_component(_libtorch_site "${LIBTORCH_ROOT}" DIRECTORY)

set(Libtorch_VERSION "")
set(_libtorch_reason "")
set(_libtorch_advice "set TORCH_ROOT to the folder of a libtorch that holds include/ and lib/")
if(NOT LIBTORCH_HINT)
  set(_libtorch_advice "run 'make setup', or ${_libtorch_advice}")
endif()
if(NOT EXISTS "${LIBTORCH_ROOT}/lib/libtorch_cpu.so")
  set(_libtorch_reason "no lib/libtorch_cpu.so in '${LIBTORCH_ROOT}': ${_libtorch_advice}")
elseif(NOT EXISTS "${LIBTORCH_ROOT}/include/ATen/ATen.h")
  set(_libtorch_reason "no headers in '${LIBTORCH_ROOT}/include': ${_libtorch_advice}")
elseif(GALORE_CUDA AND NOT EXISTS "${LIBTORCH_ROOT}/lib/libtorch_cuda.so")
  set(_libtorch_reason "'${LIBTORCH_ROOT}' is a libtorch without CUDA (no lib/libtorch_cuda.so): set TORCH_ROOT to one with it")
elseif(GALORE_CUDA AND LIBTORCH_ROOT STREQUAL "${CMAKE_SOURCE_DIR}/.deps/libtorch/torch"
       AND NOT EXISTS "${_libtorch_site}/nvidia/cudnn")
  set(_libtorch_reason "the libraries that libtorch_cuda.so loads are missing: run 'make cuda' or 'scripts/setup --cuda'")
else()
  foreach(_header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(EXISTS "${LIBTORCH_ROOT}/include/${_header}" AND NOT Libtorch_VERSION)
      file(STRINGS "${LIBTORCH_ROOT}/include/${_header}" _lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
      string(REGEX REPLACE "[^0-9;]" "" _numbers "${_lines}")
      string(REPLACE ";" "." Libtorch_VERSION "${_numbers}")
    endif()
  endforeach()
endif()
if(_libtorch_reason)
  set(LIBTORCH_ROOT "")
endif()
find_package_handle_standard_args(Libtorch REQUIRED_VARS LIBTORCH_ROOT VERSION_VAR Libtorch_VERSION
                                  REASON_FAILURE_MESSAGE "${_libtorch_reason}")
if(NOT Libtorch_FOUND OR TARGET Libtorch::cpu)
  return()
endif()

# libtorch_cpu of the PyPI wheel needs the CUDA runtime and CUPTI, which the wheels have in
# neighbouring folders.
file(GLOB _libtorch_runtime_dirs "${_libtorch_site}/nvidia/cu*/lib" "${_libtorch_site}/nvidia/*/lib")
list(REMOVE_DUPLICATES _libtorch_runtime_dirs)
set(LIBTORCH_RPATH "${LIBTORCH_ROOT}/lib" ${_libtorch_runtime_dirs})

function(_libtorch_import name library)
  add_library(Libtorch::${name} SHARED IMPORTED GLOBAL)
  set_target_properties(Libtorch::${name} PROPERTIES IMPORTED_LOCATION "${LIBTORCH_ROOT}/lib/${library}")
endfunction()

_libtorch_import(c10 libc10.so)
_libtorch_import(torch_cpu libtorch_cpu.so)
add_library(Libtorch::cpu INTERFACE IMPORTED GLOBAL)
target_include_directories(Libtorch::cpu SYSTEM INTERFACE "${LIBTORCH_ROOT}/include" "${LIBTORCH_ROOT}/include/torch/csrc/api/include")
target_link_libraries(Libtorch::cpu INTERFACE Libtorch::torch_cpu Libtorch::c10)
foreach(_dir ${_libtorch_runtime_dirs})
  target_link_options(Libtorch::cpu INTERFACE "-Wl,-rpath-link,${_dir}")
endforeach()

if(GALORE_CUDA)
  _libtorch_import(c10_cuda libc10_cuda.so)
  _libtorch_import(torch_cuda libtorch_cuda.so)
  add_library(Libtorch::cuda INTERFACE IMPORTED GLOBAL)
  # Our objects use no symbol of torch_cuda, but loading it registers the CUDA operators.
  target_link_options(Libtorch::cuda INTERFACE "-Wl,--no-as-needed,${LIBTORCH_ROOT}/lib/libtorch_cuda.so,--as-needed")
  target_link_libraries(Libtorch::cuda INTERFACE Libtorch::cpu Libtorch::c10_cuda)
endif()
