# Copies the libraries of libtorch and Arrow that GALORE_PROGRAM loads (from the folders
# LIBTORCH_RPATH) into lib/galore, with their licences from LIBTORCH_SITE and ARROW_SITE, and sets
# the installed program's search path to them. GalorePackage.cmake runs this script after the
# program is installed.
cmake_minimum_required(VERSION 3.25)
file(GET_RUNTIME_DEPENDENCIES EXECUTABLES "${GALORE_PROGRAM}" RESOLVED_DEPENDENCIES_VAR libraries
     UNRESOLVED_DEPENDENCIES_VAR missing DIRECTORIES ${LIBTORCH_RPATH})
if(missing)
  message(FATAL_ERROR "the program needs libraries that are not found: ${missing}")
endif()
set(folders "")
foreach(folder ${LIBTORCH_RPATH})
  file(REAL_PATH "${folder}" folder)
  list(APPEND folders "${folder}")
endforeach()
foreach(library ${libraries})  # found by a library's own path, one has another name for the same folder
  file(REAL_PATH "${library}" file)
  get_filename_component(folder "${file}" DIRECTORY)
  if(folder IN_LIST folders)
    file(INSTALL "${library}" DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/galore" TYPE SHARED_LIBRARY FOLLOW_SYMLINK_CHAIN)
  endif()
endforeach()

file(GLOB licensed RELATIVE "${LIBTORCH_SITE}" "${LIBTORCH_SITE}/torch-*.dist-info" "${LIBTORCH_SITE}/nvidia_*.dist-info")
if(ARROW_SITE)
  file(GLOB licensed_too RELATIVE "${LIBTORCH_SITE}" "${ARROW_SITE}/pyarrow-*.dist-info")
endif()
foreach(folder ${licensed} ${licensed_too})
  get_filename_component(name "${folder}" NAME)
  file(INSTALL "${LIBTORCH_SITE}/${folder}/licenses/" DESTINATION "${CMAKE_INSTALL_PREFIX}/share/doc/galore/licenses/${name}")
endforeach()

string(REPLACE ";" ":" old_path "${LIBTORCH_RPATH}")
file(RPATH_CHANGE FILE "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/bin/galore" OLD_RPATH "${old_path}" NEW_RPATH "\$ORIGIN/../lib/galore")
