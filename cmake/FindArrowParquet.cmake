# Finds Arrow's reader of Parquet files: in ARROW_ROOT if it is set, otherwise an installed one (the
# CMake packages Arrow and Parquet), otherwise the pinned wheel in .deps/arrow.
#
# ARROW_ROOT (CMake or environment variable) is a folder with include/arrow and include/parquet and,
# in it or in its lib/, libarrow.so and libparquet.so. It may be the `pyarrow` folder of a wheel, in
# which library names contain a version, or the prefix of an installation. ARROW_HINT, which the
# installed package sets, replaces .deps/arrow.
#
# Target: ArrowParquet::parquet. Variables (empty for an installed one): ARROW_RPATH, ARROW_FOLDER,
# and ARROW_SITE for a wheel.
include(FindPackageHandleStandardArgs)
if(DEFINED ENV{ARROW_ROOT} AND NOT ARROW_ROOT)
  set(ARROW_ROOT "$ENV{ARROW_ROOT}")
endif()
set(ARROW_ROOT "${ARROW_ROOT}" CACHE PATH "Folder with Arrow's include/ and libraries, for GALORE_PARQUET")
set(ARROW_RPATH "")
if(NOT ARROW_ROOT)
  find_package(Parquet CONFIG QUIET)
endif()
if(Parquet_FOUND)
  find_package_handle_standard_args(ArrowParquet REQUIRED_VARS Parquet_DIR)
  if(NOT TARGET ArrowParquet::parquet)
    add_library(ArrowParquet::parquet INTERFACE IMPORTED GLOBAL)
    target_link_libraries(ArrowParquet::parquet INTERFACE Parquet::parquet_shared)
  endif()
  return()
endif()

set(_arrow_root "${ARROW_ROOT}")
if(NOT _arrow_root AND ARROW_HINT)
  set(_arrow_root "${ARROW_HINT}")
elseif(NOT _arrow_root)
  set(_arrow_root "${CMAKE_SOURCE_DIR}/.deps/arrow/pyarrow")
endif()
foreach(_library arrow parquet)
  file(GLOB _found "${_arrow_root}/lib${_library}.so" "${_arrow_root}/lib${_library}.so.[0-9]*"
       "${_arrow_root}/lib/lib${_library}.so" "${_arrow_root}/lib/lib${_library}.so.[0-9]*")
  list(POP_FRONT _found _arrow_${_library})
endforeach()
set(_arrow_reason "")
if(NOT _arrow_arrow OR NOT _arrow_parquet OR NOT EXISTS "${_arrow_root}/include/parquet/arrow/reader.h")
  set(_arrow_reason "no libarrow, libparquet and their headers in '${_arrow_root}': run 'scripts/setup --parquet', or set \
ARROW_ROOT to a folder that has them")
endif()
if(_arrow_reason)
  set(_arrow_parquet "")
endif()
find_package_handle_standard_args(ArrowParquet REQUIRED_VARS _arrow_parquet REASON_FAILURE_MESSAGE "${_arrow_reason}")
if(NOT ArrowParquet_FOUND)
  return()
endif()
get_filename_component(ARROW_RPATH "${_arrow_parquet}" DIRECTORY)
get_filename_component(ARROW_SITE "${_arrow_root}" DIRECTORY)
set(ARROW_FOLDER "${_arrow_root}")
if(TARGET ArrowParquet::parquet)
  return()
endif()
foreach(_library arrow parquet)
  add_library(ArrowParquet::lib${_library} SHARED IMPORTED GLOBAL)
  set_target_properties(ArrowParquet::lib${_library} PROPERTIES IMPORTED_LOCATION "${_arrow_${_library}}")
endforeach()
add_library(ArrowParquet::parquet INTERFACE IMPORTED GLOBAL)
target_include_directories(ArrowParquet::parquet SYSTEM INTERFACE "${_arrow_root}/include")
target_link_libraries(ArrowParquet::parquet INTERFACE ArrowParquet::libparquet ArrowParquet::libarrow)
