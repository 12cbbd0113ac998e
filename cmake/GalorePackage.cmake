# `cpack` makes a Debian package of the program, with the libtorch libraries that it needs in
# lib/galore.
#
# Debian's own libtorch is too old (1.13 in Debian 12), and other machines do not have the wheel's.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME galore)
set(CPACK_PACKAGE_VENDOR "galore.cpp")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "train language models in full in a fraction of the memory")
set(CPACK_PACKAGE_DESCRIPTION "Trains and continues to train Hugging Face language models with all their parameters, by GaLore and \
the optimizers around it. The libraries of libtorch that it needs are part of the package.")
set(CPACK_PACKAGE_CONTACT "The maintainers of galore.cpp <root@localhost>" CACHE STRING "Name and address in the Debian package")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program libtorch)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${GALORE_RPATH})

# Only cpack asks for this component; a plain installation uses the libtorch of the build.
get_filename_component(LIBTORCH_SITE "${LIBTORCH_ROOT}" DIRECTORY)
install(CODE "set(GALORE_PROGRAM \"$<TARGET_FILE:galore>\")
set(LIBTORCH_RPATH \"${GALORE_RPATH}\")
set(LIBTORCH_SITE \"${LIBTORCH_SITE}\")
set(ARROW_SITE \"${ARROW_SITE}\")" COMPONENT libtorch EXCLUDE_FROM_ALL)
install(SCRIPT "${CMAKE_SOURCE_DIR}/cmake/BundleLibtorch.cmake" COMPONENT libtorch EXCLUDE_FROM_ALL)
include(CPack)
