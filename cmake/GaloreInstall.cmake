# `cmake --install` installs the program, configurations and documents (component `program`) and,
# for embedding, the static libraries, the public headers and a CMake package with the target
# galore::galore (component `development`).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(GALORE_PACKAGE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/galore")

# galore::galore is the whole library without the command line. Within this tree its headers are
# found as if they were installed.
add_library(galore_library INTERFACE)
add_library(galore::galore ALIAS galore_library)
target_link_libraries(galore_library INTERFACE galore_train)
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/include")
file(CREATE_LINK "${CMAKE_SOURCE_DIR}/src" "${CMAKE_BINARY_DIR}/include/galore" SYMBOLIC)
target_include_directories(galore_library INTERFACE "$<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include>"
                                                    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
set_target_properties(galore_library PROPERTIES EXPORT_NAME galore)

get_property(folders GLOBAL PROPERTY GALORE_FOLDERS)
set(libraries galore_options galore_library)
foreach(folder ${folders})
  set_target_properties(galore_${folder} PROPERTIES EXPORT_NAME ${folder})
  list(APPEND libraries galore_${folder})
endforeach()
set_target_properties(galore_options PROPERTIES EXPORT_NAME options)
install(TARGETS ${libraries} EXPORT galoreTargets ARCHIVE COMPONENT development)
install(EXPORT galoreTargets NAMESPACE galore:: DESTINATION "${GALORE_PACKAGE_DIR}" COMPONENT development)

configure_package_config_file("${CMAKE_SOURCE_DIR}/cmake/galoreConfig.cmake.in" "${CMAKE_BINARY_DIR}/package/galoreConfig.cmake"
                              INSTALL_DESTINATION "${GALORE_PACKAGE_DIR}" NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/package/galoreConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/package/galoreConfig.cmake" "${CMAKE_BINARY_DIR}/package/galoreConfigVersion.cmake"
              "${CMAKE_SOURCE_DIR}/cmake/FindLibtorch.cmake" "${CMAKE_SOURCE_DIR}/cmake/FindArrowParquet.cmake"
        DESTINATION "${GALORE_PACKAGE_DIR}" COMPONENT development)

install(CODE "set(GALORE_SOURCE \"${CMAKE_SOURCE_DIR}/src\")
set(GALORE_PUBLIC_HEADERS \"${CMAKE_BINARY_DIR}/public_headers\")" COMPONENT development)
install(SCRIPT "${CMAKE_SOURCE_DIR}/cmake/PublicHeaders.cmake" COMPONENT development)
install(DIRECTORY "${CMAKE_BINARY_DIR}/public_headers/galore" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development)

install(TARGETS galore RUNTIME COMPONENT program)
file(GLOB recipes CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/configs/llama_*.yaml")
install(FILES ${recipes} DESTINATION "${CMAKE_INSTALL_DATADIR}/galore/configs" COMPONENT program)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/galore" COMPONENT program)
install(DIRECTORY docs/ DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/galore/docs" COMPONENT program FILES_MATCHING PATTERN "*.md")
