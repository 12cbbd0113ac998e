# The tensor library, from the pinned wheel in .deps/libtorch or an installation named by TORCH_ROOT.
#
# TORCH_ROOT (CMake or environment variable) is the folder that holds include/ and lib/: the `torch` folder of a
# wheel or of an unpacked libtorch archive. Without CUDA only torch_cpu and c10 are linked: a program built so runs
# without any CUDA driver. PyTorch's own package file is not used because it drags in a CUDA toolkit and
# overrides CMAKE_CUDA_ARCHITECTURES.
#
# Targets: Libtorch::cpu, and Libtorch::cuda when GALORE_CUDA is on.
set(_libtorch_default "${CMAKE_SOURCE_DIR}/.deps/libtorch/torch")
if(DEFINED ENV{TORCH_ROOT} AND NOT TORCH_ROOT)
  set(TORCH_ROOT "$ENV{TORCH_ROOT}")
endif()
set(TORCH_ROOT "${TORCH_ROOT}" CACHE PATH "Folder with libtorch's include/ and lib/")
set(_libtorch_root "${TORCH_ROOT}")
if(NOT _libtorch_root)
  set(_libtorch_root "${_libtorch_default}")
endif()
if(NOT EXISTS "${_libtorch_root}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "libtorch not found in '${_libtorch_root}': run 'make setup', or set TORCH_ROOT to the folder that holds include/ and lib/")
endif()

# libtorch_cpu of the PyPI wheel names the CUDA runtime and CUPTI as needed; they lie beside it in the wheels.
get_filename_component(_libtorch_site "${_libtorch_root}" DIRECTORY)
file(GLOB _libtorch_runtime_dirs "${_libtorch_site}/nvidia/cu*/lib" "${_libtorch_site}/nvidia/*/lib")

function(_libtorch_import name library)
  add_library(Libtorch::${name} SHARED IMPORTED GLOBAL)
  set_target_properties(Libtorch::${name} PROPERTIES IMPORTED_LOCATION "${_libtorch_root}/lib/${library}")
endfunction()

_libtorch_import(c10 libc10.so)
_libtorch_import(torch_cpu libtorch_cpu.so)
add_library(Libtorch::cpu INTERFACE IMPORTED GLOBAL)
target_include_directories(Libtorch::cpu SYSTEM INTERFACE "${_libtorch_root}/include" "${_libtorch_root}/include/torch/csrc/api/include")
target_link_libraries(Libtorch::cpu INTERFACE Libtorch::torch_cpu Libtorch::c10)
set(LIBTORCH_RPATH "${_libtorch_root}/lib" ${_libtorch_runtime_dirs})
foreach(_dir ${_libtorch_runtime_dirs})
  target_link_options(Libtorch::cpu INTERFACE "-Wl,-rpath-link,${_dir}")
endforeach()

if(GALORE_CUDA)
  if(NOT EXISTS "${_libtorch_root}/lib/libtorch_cuda.so")
    message(FATAL_ERROR "'${_libtorch_root}' is a libtorch without CUDA (no lib/libtorch_cuda.so): set TORCH_ROOT to one with it")
  endif()
  if(_libtorch_root STREQUAL _libtorch_default AND NOT EXISTS "${_libtorch_site}/nvidia/cudnn")
    message(FATAL_ERROR "the libraries that libtorch_cuda.so loads are missing: run 'make cuda' or 'scripts/setup --cuda'")
  endif()
  _libtorch_import(c10_cuda libc10_cuda.so)
  _libtorch_import(torch_cuda libtorch_cuda.so)
  add_library(Libtorch::cuda INTERFACE IMPORTED GLOBAL)
  # Nothing in our objects names a symbol of torch_cuda, but loading it registers the CUDA operators.
  target_link_options(Libtorch::cuda INTERFACE "-Wl,--no-as-needed,${_libtorch_root}/lib/libtorch_cuda.so,--as-needed")
  target_link_libraries(Libtorch::cuda INTERFACE Libtorch::cpu Libtorch::c10_cuda)
endif()
set(Libtorch_FOUND TRUE)
