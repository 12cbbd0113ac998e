# The CUDA language for the kernels in src/kernels/cuda, by the compiler that scripts/find-nvcc
# names.
include(CheckLanguage)
if(NOT CMAKE_CUDA_COMPILER)
  execute_process(COMMAND "${CMAKE_SOURCE_DIR}/scripts/find-nvcc" OUTPUT_VARIABLE GALORE_NVCC OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT GALORE_NVCC)
    message(FATAL_ERROR "no CUDA compiler: run 'scripts/setup --nvcc', which fetches one into .deps/cuda, or name nvcc by "
                        "the environment variable CUDACXX")
  endif()
  set(CMAKE_CUDA_COMPILER "${GALORE_NVCC}" CACHE FILEPATH "CUDA compiler")
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc has it
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
# libtorch loads the shared runtime; a second, static one in the program would know nothing of the
# first.
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)

# Sets the options of *.cu. With -fmad=false a product and a sum are rounded one after the other, as
# on the CPU, so that results are equal to the bit; kernels that mean one rounding call fmaf. Speed
# does not suffer: memory bounds the kernels.
function(galore_cuda_options target)
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANGUAGE:CUDA>:-fmad=false;--expt-relaxed-constexpr;-Xcompiler=-Wall,-Wextra>")
  if(GALORE_WERROR)
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings;-Xcompiler=-Werror>")
  endif()
endfunction()

# Adds cuda/*.cu to galore_<name>.
function(galore_cuda_sources name)
  file(GLOB sources CONFIGURE_DEPENDS cuda/*.cu)
  target_sources(galore_${name} PRIVATE ${sources})
  galore_cuda_options(galore_${name})
endfunction()

# The target cuda_objects compiles cuda/*.cu and cuda/*.cpp, tests and all, and without_cuda.cpp. It
# needs no device, no driver and none of CUDA's libraries; scripts/check-cuda builds it and compares
# which symbols the objects define.
function(galore_cuda_objects)
  find_package(GTest REQUIRED)
  file(GLOB sources CONFIGURE_DEPENDS cuda/*.cu cuda/*.cpp)
  add_library(cuda_objects OBJECT EXCLUDE_FROM_ALL ${sources} without_cuda.cpp)
  set_source_files_properties(without_cuda.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_link_libraries(cuda_objects PRIVATE galore_options GTest::gtest)
  galore_cuda_options(cuda_objects)
endfunction()
